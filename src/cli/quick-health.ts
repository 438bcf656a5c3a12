import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/environment.ts';
import { configFile } from '../config/place.ts';
import { cacheFolder } from './cache.ts';
import { printed } from './health.ts';
import type { ExitCode } from './outcome.ts';
import { askReady, type Listen } from './ready.ts';
import type { Terminal } from './terminal.ts';

/** What a configuration says of the bridge's health, kept so that the next check need not read it. */
interface Known {
  /** What that depends on: the file as it is, and variables. */
  source: string;
  listen: Listen;
  baseTopic: string;
}

/**
 * `dsm2mqtt health`, if the configuration is the one that was read last and its bridge answers. Null: the configuration
 * has to be read, to know where the bridge is, or to say what is wrong.
 */
export async function quickHealth(
  args: readonly string[],
  env: Environment,
  stdout: Terminal,
): Promise<ExitCode | null> {
  try {
    const { config, json } = readArguments(args);
    const known = JSON.parse(readFileSync(fileIn(cacheFolder(env)), 'utf8')) as Known;
    if (known.source !== sourceOf(config, env)) return null;
    const report = await askReady(known.listen);
    return report.base_topic === known.baseTopic ? printed(report, json, stdout) : null;
  } catch {
    return null;
  }
}

/** The usual ways to write them. Throws at any other. `node:util` would cost more than all else here. */
function readArguments(args: readonly string[]): { config?: string | undefined; json: boolean } {
  const [first = '', second, ...others] = args.filter(arg => arg !== '--json');
  const named = first === '-c' || first === '--config' ? second : undefined;
  if (others.length > 0 || (first !== '' && named === undefined)) throw new Error('not quickly');
  return { config: named, json: args.includes('--json') };
}

/** To be called before the configuration is read; what it returns, afterwards. */
export function healthKeeper(given: string | undefined, env: Environment): (config: Config) => void {
  const source = sourceOf(given, env);
  return ({ health: { listen }, mqtt: { baseTopic } }) => {
    try {
      const file = fileIn(cacheFolder(env));
      writeFileSync(`${file}.${process.pid}`, JSON.stringify({ source, listen, baseTopic }), { mode: 0o600 });
      renameSync(`${file}.${process.pid}`, file);
    } catch {
      // The next check reads the configuration, too.
    }
  };
}

function sourceOf(given: string | undefined, env: Environment): string {
  const file = configFile(given, env);
  const about = file === null ? null : statSync(file, { throwIfNoEntry: false });
  const settings = Object.entries(env).filter(([name]) => /^DSM2MQTT_(HEALTH|MQTT)__(LISTEN|BASE_TOPIC)$/i.test(name));
  return JSON.stringify([file && resolve(file), about?.ino, about?.size, about?.mtimeMs, about?.ctimeMs, settings]);
}

function fileIn(folder: string | null): string {
  if (folder === null) throw new Error('there is no folder');
  return join(folder, 'health.json');
}
