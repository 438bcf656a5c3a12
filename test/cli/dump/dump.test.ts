import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Anonymizer } from '../../../src/cli/dump/anonymizer.ts';
import { dump } from '../../../src/cli/dump/dump.ts';
import { Running } from '../../bridge/running.ts';
import { captured } from '../output.ts';

function dumped(running: Running, output?: string) {
  const base = running.config();
  const config = {
    ...base,
    mqtt: { ...base.mqtt, username: 'dsm2mqtt', password: 'hunter2!' },
    health: { listen: null },
  };
  const loaded = { config, sources: { file: '/config/config.yaml', environment: [] } };
  return captured(streams => dump({ loaded, output, ...streams }));
}

test('what there is, and nothing that is nobody’s business', async () => {
  await using running = await Running.start();
  running.daemon.domain('DSM').start();
  const { code, stdout } = await dumped(running);
  expect(code).toBe(0);
  const document = JSON.parse(stdout);
  expect(document).toMatchObject({
    dsm2mqtt: expect.any(String),
    configuration: { mqtt: { username: true, password: true }, vms: [{ id: 'DSM' }] },
    bridge: { unknown: 'health.listen is off' },
    libvirt: { hypervisor: expect.any(String), vms: { DSM: { domain: { state: 'running' } } } },
  });
  expect(document.libvirt.vms.DSM.xml.join('\n')).toMatch(/<mac address=.mac-1./);
  expect(document.data_dir.length).toBeGreaterThan(0);
  expect(stdout).not.toMatch(/hunter2|52:54:00|525400|[0-9a-f]{8}-[0-9a-f]{4}-/i);
});

test('libvirt away: the rest is told, and why', async () => {
  await using running = await Running.start();
  await running.daemon.kill();
  const { code, stdout } = await dumped(running);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).libvirt.unknown).toMatch(/no libvirt socket|nobody listens/);
});

test('a domain that libvirt does not have: what it has instead', async () => {
  await using running = await Running.prepare();
  running.daemon.define({ name: 'DSM7' });
  const { stdout } = await dumped(running);
  expect(JSON.parse(stdout).libvirt.vms.DSM.unknown).toBe(
    "libvirt has no domain DSM. Did you mean 'DSM7'? It has DSM7.",
  );
});

test('into a file, for its owner alone, and over nothing', async () => {
  await using running = await Running.start();
  const file = join(running.folder, 'dump.json');
  expect(await dumped(running, file)).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringContaining('Look it through'),
  });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(file, 'utf8'))).toHaveProperty('libvirt');
  expect(await dumped(running, file)).toMatchObject({ code: 1, stderr: expect.stringMatching(/EEXIST/) });
});

test('the same machine has the same name throughout', () => {
  const anonymizer = new Anonymizer(['topsecret']);
  const text = anonymizer.text(
    '52:54:00:D5:30:01 at 10.1.2.3, 525400d53001 again, 10.1.2.4, 127.0.0.1, topsecret, 1780PDN123456',
  );
  expect(text).toBe('mac-1 at ip-1, mac-1 again, ip-2, 127.0.0.1, [hidden], id-1');
  expect(anonymizer.document({ nic_525400d53001: ['186682f9-0f0b-4a9e-867b-364706339405', 4, null] })).toEqual({
    'nic_mac-1': ['uuid-1', 4, null],
  });
});
