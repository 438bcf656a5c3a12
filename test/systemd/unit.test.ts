/** The unit, as far as systemd judges it without running it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';

const text = readFileSync(new URL('../../docs/systemd/dsm2mqtt.service', import.meta.url), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'unit-'));
afterAll(() => rmSync(folder, { recursive: true }));

const version = /systemd (\d+)/.exec(spawnSync('systemd-analyze', ['--version']).stdout?.toString() ?? '')?.[1];

describe.skipIf(Number(version ?? 0) < 252)('systemd-analyze', () => {
  const unit = join(folder, 'dsm2mqtt.service');
  // Where node is on this machine does not matter.
  writeFileSync(unit, text.replace('ExecStart=/usr/bin/node', `ExecStart=${process.execPath}`));

  test('has nothing to say against it', () => {
    const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', '--man=no', unit]);
    expect(`${stdout}${stderr}`.split('\n').filter(line => line.includes('dsm2mqtt.service'))).toEqual([]);
    expect(status).toBe(0);
  });

  test('finds little that it could do to the host', () => {
    const said = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit]).toString();
    const exposure = Number(/Overall exposure level for .*: ([0-9.]+)/.exec(said)?.[1]);
    expect(exposure).toBeLessThan(2.5);
  });
});

test('what it sets is understood', async () => {
  const [, line = ''] = /^Environment=(DSM2MQTT_.*)$/m.exec(text) ?? [];
  const password = join(folder, 'mqtt_password');
  writeFileSync(password, 'hunter2\n', { mode: 0o600 });
  const values = line.replaceAll('%S', folder).replaceAll('%d', folder).split(' ');
  const env = Object.fromEntries(values.map(pair => pair.split('=') as [string, string]));
  const file = join(folder, 'config.yaml');
  writeFileSync(file, 'mqtt: { url: mqtt://b, username: u }\nvms: [{ domain: DSM }]\n');
  const { config } = await loadConfig({ config: file, env });
  expect(config).toMatchObject({ dataDir: `${folder}/dsm2mqtt`, mqtt: { password: 'hunter2' } });
});
