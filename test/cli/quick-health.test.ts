/** A health check that does not read the configuration. */
import { chmod, chown, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { cacheFolder } from '../../src/cli/start/cache.ts';
import { healthKeeper, quickHealth } from '../../src/cli/start/quick-health.ts';
import { Running } from '../bridge/running.ts';
import { freePort } from '../lab/processes.ts';
import { captured } from './output.ts';

let folder: string;
let file: string;
let env: Record<string, string>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-'));
  file = join(folder, 'config.yaml');
  env = { XDG_CACHE_HOME: folder };
  await writeFile(file, 'as it was');
  return () => rm(folder, { recursive: true });
});

test('a folder that takes nothing', () => {
  expect(() => cacheFolder({ XDG_CACHE_HOME: '/proc/cache' })).toThrow('ENOENT');
});

test('asks where the bridge was, and leaves to the whole way whatever else there is to say', async () => {
  const port = await freePort();
  const listen = { host: '127.0.0.1', port };
  await using running = await Running.start({ health: listen });
  const config = { ...running.config(), health: { listen } };
  const ask = async (...args: string[]) => {
    let code: number | null = null;
    const { stdout } = await captured(async streams => {
      code = await quickHealth(args, env, streams);
      return code ?? 0;
    });
    return { code, stdout };
  };
  const unknown = { code: null, stdout: '' };
  expect(await ask('-c', file)).toEqual(unknown);
  healthKeeper(file, env)(config);
  const well = { code: 0, stdout: 'broker   ok\nlibvirt  ok\nchecks   ok\n' };
  expect(await ask('-c', file)).toEqual(well);
  expect(await ask('--config', file, '--json')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('base_topic'),
  });
  env['DSM2MQTT_CONFIG'] = file;
  expect(await ask()).toEqual(well);
  expect(await ask('--help')).toEqual(unknown);
  env['DSM2MQTT_HEALTH__LISTEN'] = '127.0.0.1:1';
  expect(await ask()).toEqual(unknown);
  delete env['DSM2MQTT_HEALTH__LISTEN'];
  await writeFile(file, 'another');
  expect(await ask()).toEqual(unknown);
  healthKeeper(file, env)({ ...config, mqtt: { ...config.mqtt, baseTopic: 'other' } });
  expect(await ask()).toEqual(unknown);
  healthKeeper(file, env)(config);
  await running.daemon.kill();
  await expect.poll(async () => (await ask()).code).toBe(1);
  await running.stop();
  expect(await ask()).toEqual(unknown);
});

test('a cache that others can write to is none', async () => {
  const cache = join(folder, 'dsm2mqtt');
  expect(cacheFolder(env)).toBe(cache);
  await chmod(cache, 0o707);
  expect(() => cacheFolder(env)).toThrow(cache);
  await chmod(cache, 0o700);
  await writeFile(join(folder, 'file'), '');
  expect(() => cacheFolder({ XDG_CACHE_HOME: join(folder, 'file') })).toThrow();
});

test.runIf(process.geteuid?.() === 0)('root trusts no folder of others, and leaves nothing there', async () => {
  await chmod(folder, 0o707);
  expect(() => cacheFolder(env)).toThrow(folder);
  await chmod(folder, 0o700);
  await chown(folder, 1000, 1000);
  expect(() => cacheFolder(env)).toThrow(folder);
  expect(await readdir(folder)).toEqual(['config.yaml']);
});

test('a configuration that cannot be looked at is left to the verb', async () => {
  await symlink('loop', join(folder, 'loop'));
  expect(() => healthKeeper(join(folder, 'loop'), env)).not.toThrow();
});
