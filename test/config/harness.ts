import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../src/config/config.ts';
import { type LoadOptions, loadConfig } from '../../src/config/load.ts';
import { ConfigError, type Problem } from '../../src/config/problem.ts';

/** A directory with the given files in it, the process's own as long as `using` has it; then it is gone. */
export function directory(files: Record<string, string | Uint8Array> = {}) {
  const before = process.cwd();
  const path = mkdtempSync(join(tmpdir(), 'dsm2mqtt-config-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  process.chdir(path);
  return {
    path,
    [Symbol.dispose]: () => {
      process.chdir(before);
      rmSync(path, { recursive: true });
    },
  };
}

export const minimal = 'mqtt: { url: mqtt://broker }\nvms: [{ domain: DSM }]\n';

/** With one VM's loader, of what is required and more. */
export const withLoader = (more = '') =>
  `mqtt: { url: mqtt://broker }\nvms: [{ domain: DSM, loader: { model: DS918+, platform: ds918p-7.1.1-42962${more && ', '}${more} } }]\n`;

export async function load(text: string | Uint8Array, env: LoadOptions['env'] = {}): Promise<Config> {
  using _ = directory({ 'config.yaml': text });
  return (await loadConfig({ env })).config;
}

/** The problems of a configuration that must be refused, and only in the one proper way. */
export async function problemsOf(outcome: Promise<unknown>): Promise<readonly Problem[]> {
  try {
    await outcome;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

/** `where path: message` of each. */
export async function complaints(text: string | Uint8Array, env: LoadOptions['env'] = {}): Promise<string[]> {
  return (await problemsOf(load(text, env))).map(({ where, path, message }) => `${where} ${path}: ${message}`);
}
