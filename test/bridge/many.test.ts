/** Hundreds of VMs: all are announced, and libvirt is asked for each of them once. */
import { expect, test } from 'vitest';
import { Running, vmConfig } from './running.ts';

const count = 200;

test('two hundred VMs are announced, by one read each', { timeout: 240_000 }, async () => {
  await using running = await Running.prepare();
  const domains = running.daemon.defineMany(count);
  const seen = await running.observe('ha/device/+/config');
  await running.start({ vms: domains.map(({ name }) => vmConfig({ domain: name, key: name, label: name })) });
  const announced = new Set<string>();
  while (announced.size < count + 1) announced.add((await seen.seen.take(() => true, { deadline: 120_000 })).topic);
  for (const name of ['domainLookupByName', 'domainGetState', 'domainGetXmlDesc'] as const) {
    expect(running.daemon.callsOf(name)).toHaveLength(count);
  }
  expect(running.daemon.callsOf('connectListAllDomains')).toHaveLength(1);
});
