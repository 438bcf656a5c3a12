/** `check`, where libvirt and the configuration do not agree. */
import { expect, test } from 'vitest';
import { check } from '../../src/cli/check.ts';
import { Running, vmConfig } from '../bridge/running.ts';
import { captured } from './output.ts';

function run(running: Running, domain: string) {
  const checks = { ...vmConfig().checks, probeTimeout: 200 };
  const config = running.config({ vms: [vmConfig({ domain, checks })] });
  const call = { config, vm: 'DSM', json: false, watch: false, signal: new AbortController().signal };
  return captured(streams => check({ ...call, ...streams }));
}

test('a domain that libvirt does not have: 1, and not that libvirt is away', async () => {
  await using running = await Running.prepare();
  running.daemon.define();
  const { code, stdout, stderr } = await run(running, 'DSMM');
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout).toContain("libvirt has no domain DSMM. Did you mean 'DSM'? It has DSM.");
  expect(stdout).toContain('`vms[].domain`');
  expect(stdout).not.toContain('away');
});

test('libvirt away: 3, and why', async () => {
  await using running = await Running.prepare();
  await running.daemon.kill();
  const { code, stdout, stderr } = await run(running, 'DSM');
  expect(code).toBe(3);
  expect(stderr).toMatch(/no libvirt socket|nobody listens/);
  // Nobody knows where it is, and what it has: it was not asked.
  expect(stdout).toContain('libvirt is away, and DSM is not heard.');
  expect(stdout).not.toMatch(/does not answer|has no network card/);
});

test('the VMs stand in the order of the configuration, also with numbers for ids', async () => {
  await using running = await Running.prepare();
  await running.daemon.kill();
  const checks = { ...vmConfig().checks, probeTimeout: 200 };
  const vms = ['10', 'B', '9'].map(key => vmConfig({ domain: `DSM${key}`, key, checks }));
  const call = { config: running.config({ vms }), vm: undefined, json: true, watch: false };
  const signal = new AbortController().signal;
  const { stdout } = await captured(streams => check({ ...call, signal, ...streams }));
  expect(JSON.parse(stdout)).toMatchObject([{ id: '10' }, { id: 'B' }, { id: '9' }]);
});

test('a VM that a host that is away may have is not checked: 3, and why', async () => {
  await using running = await Running.prepare();
  const { uuid } = running.daemon.define();
  const host = (name: string, uri: string) => ({ name, uri, readOnly: false, statsInterval: 60_000 });
  const hosts = [host('one', running.daemon.uri), host('two', `${running.daemon.uri}-gone`)];
  const other = vmConfig({ domain: 'none', key: 'none', on: 'one' });
  const vms = [vmConfig({ domain: uuid }), other];
  const call = { config: running.config({ hosts, vms }), vm: undefined, json: true, watch: false };
  const { signal } = new AbortController();
  const { code, stdout, stderr } = await captured(streams => check({ ...call, signal, ...streams }));
  expect({ code, ids: JSON.parse(stdout).map(({ id }: { id: string }) => id) }).toEqual({ code: 3, ids: ['none'] });
  expect(stderr).toContain('-gone');
});
