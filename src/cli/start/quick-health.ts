import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Environment } from '../../config/environment.ts';
import { configFile } from '../../config/place.ts';
import { type HealthOptions, health } from '../health.ts';
import type { ExitCode, Output } from '../terminal.ts';
import { cacheFolder } from './cache.ts';

const name = 'health.json';

/** What a configuration says of the bridge's health, kept so that the next check need not read it. */
interface Known {
  /** What that depends on: the file as it is, and variables. */
  source: string;
  config: HealthOptions['config'];
}

/**
 * `dsm2mqtt health`, if the configuration is the one that was read last and its bridge answers. Null: the configuration
 * has to be read, to know where the bridge is, or to say what is wrong.
 */
export async function quickHealth(args: string[], env: Environment, streams: Output): Promise<ExitCode | null> {
  try {
    const { given, json } = readArguments(args);
    const { source, config } = JSON.parse(readFileSync(join(cacheFolder(env), name), 'utf8')) as Known;
    return source === sourceOf(given, env) ? await health({ config, json, ...streams }) : null;
  } catch {
    return null;
  }
}

/** The usual ways to write them. Throws at any other. `node:util` would cost more than all else here. */
function readArguments(args: string[]): { given: string | undefined; json: boolean } {
  const [first = '', given, ...others] = args.filter(arg => arg !== '--json');
  const named = /^(-c|--config)$/.test(first) && given !== undefined;
  if (others.length > 0 || (first !== '' && !named)) throw new Error('not quickly');
  return { given, json: args.includes('--json') };
}

/** To be called before the configuration is read; what it returns, afterwards. */
export function healthKeeper(given: string | undefined, env: Environment): (config: Known['config']) => void {
  const source = sourceOf(given, env);
  return ({ health: { listen }, mqtt: { baseTopic } }) => {
    const known: Known = { source, config: { health: { listen }, mqtt: { baseTopic } } };
    try {
      const file = join(cacheFolder(env), name);
      writeFileSync(`${file}.${process.pid}`, JSON.stringify(known), { mode: 0o600 });
      renameSync(`${file}.${process.pid}`, file);
    } catch {
      // The next check reads the configuration, too.
    }
  };
}

function sourceOf(given: string | undefined, env: Environment): string {
  const file = configFile(given, env);
  const about = file !== null && existsSync(file) ? statSync(file, { throwIfNoEntry: false }) : null;
  const settings = Object.entries(env).filter(([name]) => /^DSM2MQTT_(HEALTH__LISTEN|MQTT__BASE_TOPIC)$/i.test(name));
  return JSON.stringify([file && resolve(file), about?.ino, about?.size, about?.mtimeMs, about?.ctimeMs, settings]);
}
