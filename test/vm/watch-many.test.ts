/** Many domains, and a libvirt that takes its time: each is read once, and what comes late is used. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { Watch, type WatchOptions } from '../../src/vm/watch.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { dsmXml } from '../fakes/libvirtd/xml.ts';
import { recorder } from '../mqtt/inbox.ts';
import { Events } from './events.ts';

let daemon: FakeLibvirtd;
let client: Libvirt;
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
  client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial });
});
afterEach(async () => {
  await client.close();
  await daemon.close();
});

const readings = ['domainGetXmlDesc', 'domainIsPersistent', 'domainGetAutostart'] as const;
const counts = () => readings.map(name => daemon.callsOf(name).length);

function watching(domains: readonly string[], options: Partial<WatchOptions> = {}) {
  const events = new Events();
  const log = recorder();
  const vms = domains.map(domain => ({ key: domain, domain }));
  const watch = new Watch({ vms, emit: events.push, logger: log, ...options });
  const known = (key: string) =>
    events.take(event => event.type === 'domain' && event.key === key && event.domain?.hardware.disks.length === 3, {
      deadline: 30_000,
    });
  return { watch, events, log, known };
}

test('thirty domains whose definitions all come late: each becomes known, by one read', async () => {
  const domains = daemon.defineMany(30).map(({ name }) => name);
  for (const name of readings) daemon.delay(name, 40);
  const { watch, known } = watching(domains, { patience: 10 });
  await watch.begin(client);
  await Promise.all(domains.map(known));
  expect(counts()).toEqual([30, 30, 30]);
});

test('one that waits for a place is not said to be unreadable', async () => {
  const domains = daemon.defineMany(12).map(({ name }) => name);
  daemon.delay('domainGetXmlDesc', 200);
  const { watch, log } = watching(domains, { patience: 1_000 });
  await watch.begin(client);
  expect(watch.targets().filter(({ domain }) => domain.hardware.disks.length === 3)).toHaveLength(12);
  expect(log.of('domain.definition_unknown')).toEqual([]);
});

test('one that changes while its definition is awaited is read once more', async () => {
  const domain = daemon.define();
  using stuck = daemon.hang('domainGetXmlDesc', { effect: true, times: 1 });
  const { watch, events } = watching(['DSM'], { patience: 20 });
  await watch.begin(client);
  domain.redefine(dsmXml().replace("dev='sdb'", "dev='sdc'"));
  await daemon.called('domainGetState', 2);
  await client.hostname();
  stuck.release();
  await events.domain('DSM', now => now?.hardware.disks.some(({ target }) => target === 'sdc') ?? false);
  expect(counts()[0]).toBe(2);
});

test('a definition that comes late is not given to the domain that took its name', async () => {
  const [old, uuid] = [daemon.define(), '00000000-0000-4000-8000-0000000000aa'];
  using stuck = daemon.hang('domainGetXmlDesc', { effect: true, times: 1 });
  const { watch, events } = watching(['DSM'], { patience: 20 });
  await watch.begin(client);
  old.undefine();
  daemon.define(dsmXml({ uuid }).replace("dev='sdb'", "dev='sdc'"));
  await events.domain('DSM', now => now?.uuid === uuid && now.hardware.disks.length === 3);
  stuck.release();
  await client.hostname();
  await watch.hint('DSM');
  expect(watch.target('DSM')?.domain.hardware.disks[1]?.target).toBe('sdc');
});

test('the state of a domain is asked for when its turn has come, however many there are', async () => {
  const domains = daemon.defineMany(80).map(({ name }) => name);
  for (const name of ['domainLookupByName', 'domainGetState'] as const) daemon.delay(name, 50);
  const { watch, log } = watching(domains, { statePatience: 900 });
  await watch.begin(client);
  expect(watch.targets()).toHaveLength(80);
  expect(log.of('domain.read_failed')).toEqual([]);
});

test('reading everything again does not begin anew before it is through', async () => {
  const domains = daemon.defineMany(5).map(({ name }) => name);
  const { watch } = watching(domains);
  await watch.begin(client);
  using stuck = daemon.hang('domainGetState', { times: 1 });
  const through = watch.resync();
  await daemon.called('domainGetState', 6);
  for (let i = 0; i < 5; i++) await watch.resync();
  stuck.release();
  await through;
  expect(counts()).toEqual([10, 10, 10]);
});
