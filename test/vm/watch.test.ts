/** What the bridge knows of the domains, and when: on the fake, whose every state is in our hands. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import type { ConnectionOptions } from '../../src/libvirt/connection.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { Watch, type WatchOptions } from '../../src/vm/watch.ts';
import { FakeLibvirtd, type ListenOptions } from '../fakes/libvirtd/daemon.ts';
import type { ProcedureName } from '../fakes/libvirtd/types.ts';
import { dsmXml } from '../fakes/libvirtd/xml.ts';
import { everyParam } from '../libvirt/params.ts';
import { recorder } from '../mqtt/inbox.ts';
import { Events } from './events.ts';

const uuid = '186682f9-0f0b-4a9e-867b-364706339405';
const otherUuid = '00000000-0000-4000-8000-0000000000aa';

let daemon: FakeLibvirtd;
const clients: Libvirt[] = [];
const listen = async (options: ListenOptions = {}) => {
  await daemon?.close();
  daemon = await FakeLibvirtd.listen(options);
};
beforeEach(() => listen());
afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()));
  await daemon.close();
});

async function connect(options: ConnectionOptions = {}): Promise<Libvirt> {
  const client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial, ...options });
  clients.push(client);
  return client;
}

function watching(domains: string | string[] = 'DSM', options: Partial<WatchOptions> = {}) {
  const log = recorder();
  const events = new Events();
  const vms = [domains].flat().map((domain, i) => ({ key: i === 0 ? 'DSM' : `vm${i}`, domain }));
  const watch = new Watch({ vms, emit: events.push, logger: log, ...options });
  return { watch, events, log };
}

/** Watching, connected, everything read. */
async function started(...args: Parameters<typeof watching>) {
  const all = watching(...args);
  const client = await connect();
  await all.watch.begin(client);
  return { ...all, client };
}

const names = (): ProcedureName[] => daemon.calls.map(({ name }) => name);

test('registers, lists, reads, and then libvirt is up', async () => {
  daemon.define().start();
  const { events, log, watch } = await started();
  const calls = names();
  const first = (name: ProcedureName) => calls.indexOf(name);
  expect(calls.lastIndexOf('domainEventRegister')).toBeLessThan(first('connectListAllDomains'));
  expect(first('connectListAllDomains')).toBeLessThan(first('domainLookupByName'));
  expect(events.all).toMatchObject([
    {
      type: 'domain',
      key: 'DSM',
      domain: {
        uuid,
        name: 'DSM',
        active: true,
        state: 'running',
        reason: 'booted',
        persistent: true,
        autostart: false,
        hardware: { vcpus: 2, nics: [{ tap: 'vnet0' }] },
      },
    },
    {
      type: 'hypervisor_up',
      info: { hostname: 'nas-host', libvirt: '9.0.0', hypervisor: 'QEMU 7.2.22' },
    },
  ]);
  expect(watch.target('DSM')?.ref).toEqual({ name: 'DSM', uuid, id: 1 });
  expect(watch.target('nobody')).toBeNull();
  // This libvirtd is older than the newest event.
  expect(log.entries).toMatchObject([{ event: 'libvirt.events_unknown', refused: ['nicMacChange'] }]);
});

test('that libvirt has no such domain is told once, and what it has is listed anew', async () => {
  daemon.define({ name: 'router' });
  const { events, watch } = await started('DSMM');
  expect(events.all[0]).toMatchObject({ type: 'domain', key: 'DSM', domain: null });
  expect(watch.missing('DSM')).toBe('libvirt has no domain DSMM. It has router.');
  daemon.define({ name: 'DSM', uuid: otherUuid });
  await watch.hint('DSM');
  expect(watch.instead('DSM')).toContain("Did you mean 'DSM'?");
  expect(events.all.filter(({ type }) => type === 'domain')).toHaveLength(1);
});

test('starts, pauses, shuts down: each state is told once, in order, with what it needs to be used', async () => {
  const domain = daemon.define();
  const { events, watch } = await started();
  domain.start();
  await events.domain('DSM', now => now?.hardware.nics[0]?.tap === 'vnet0');
  domain.pause();
  await events.domain('DSM', now => now?.state === 'paused');
  domain.resume();
  await events.domain('DSM', now => now?.reason === 'unpaused');
  domain.powerOff();
  await events.domain('DSM', now => now?.reason === 'shutdown' && now.hardware.nics[0]?.tap === null);
  const states = events.states('DSM');
  expect(states.filter((state, i) => state !== states[i - 1])).toEqual([
    ...['shut_off/unknown', 'running/booted', 'paused/user', 'running/unpaused', 'shut_off/shutdown'],
  ]);
  expect(watch.target('DSM')?.ref.id).toBe(-1);
});

test('what ends in another way is told so', async () => {
  const domain = daemon.define();
  const { events } = await started();
  for (const [end, state, reason] of [
    ['destroy', 'shut_off', 'destroyed'],
    ['crash', 'shut_off', 'crashed'],
    ['kill', 'shut_off', 'killed'],
  ] as const) {
    domain.start();
    await events.domain('DSM', now => now?.state === 'running');
    domain[end]();
    await events.domain('DSM', now => now?.state === state && now.reason === reason);
  }
  domain.start();
  await events.domain('DSM', now => now?.state === 'running');
  domain.ioError('sda');
  await events.domain('DSM', now => now?.reason === 'io_error');
  domain.resume();
  await events.domain('DSM', now => now?.reason === 'unpaused');
  domain.suspendToMemory();
  await events.domain('DSM', now => now?.state === 'pmsuspended');
  domain.wakeUp();
  await events.domain('DSM', now => now?.reason === 'wakeup');
  domain.panic();
  await events.domain('DSM', now => now?.state === 'crashed' && now.active);
});

test('a restart of the guest is told, and that nothing else has changed is not', async () => {
  const domain = daemon.define();
  domain.start();
  const { events, client } = await started();
  const before = events.all.length;
  domain.reboot();
  await daemon.called('domainGetState', 2);
  await client.hostname();
  expect(events.all.slice(before)).toEqual([{ type: 'rebooted', key: 'DSM', at: expect.stringMatching(/Z$/) }]);
});

describe('by name', () => {
  test('a domain appears, and is gone again', async () => {
    const { events, watch } = await started();
    expect(events.all.map(({ type }) => type)).toEqual(['domain', 'hypervisor_up']);
    const domain = daemon.define();
    await events.domain('DSM', now => now?.uuid === uuid);
    domain.undefine();
    await expect.poll(() => events.states('DSM').at(-1)).toBe('gone');
    expect(watch.targets()).toEqual([]);
  });

  test('another domain takes the name', async () => {
    const { events } = await started();
    daemon.define().undefine();
    daemon.define({ uuid: otherUuid });
    await events.domain('DSM', now => now?.uuid === otherUuid);
    expect(events.states('DSM').at(-1)).toBe('shut_off/unknown');
  });

  test('another that took it while the connection was down is another', async () => {
    daemon.define();
    const { events, watch, client } = await started();
    await client.close();
    daemon.domain('DSM').undefine();
    daemon.define({ uuid: otherUuid });
    await watch.begin(await connect());
    await events.domain('DSM', now => now?.uuid === otherUuid);
    expect(watch.target('DSM')?.domain.hardware.disks).toHaveLength(3);
  });

  test('renamed, it is gone; renamed back, it is there', async () => {
    const domain = daemon.define();
    const { events } = await started();
    domain.rename('other');
    await events.domain('DSM', now => now === null);
    domain.rename('DSM');
    await events.domain('DSM', now => now?.uuid === uuid);
  });
});

describe('by UUID', () => {
  test.each([uuid, uuid.toUpperCase()])('%s follows every name', async configured => {
    const domain = daemon.define();
    const { events } = await started(configured);
    domain.rename('Büro/NAS +#1');
    await events.domain('DSM', now => now?.name === 'Büro/NAS +#1');
    expect(events.states('DSM')).not.toContain('gone');
  });

  test('is not another one of that name', async () => {
    const domain = daemon.define();
    const { events, watch } = await started(uuid);
    await events.domain('DSM');
    domain.undefine();
    await events.domain('DSM', now => now === null);
    daemon.define({ uuid: otherUuid }).undefine();
    daemon.define();
    await events.domain('DSM', now => now !== null);
    expect(events.states('DSM')).toEqual(['shut_off/unknown', 'gone', 'shut_off/unknown']);
    expect(watch.target('DSM')?.ref.uuid).toBe(uuid);
  });
});

test('a new definition is read, and what the domain is with it', async () => {
  const domain = daemon.define();
  const { events } = await started();
  domain.redefine(dsmXml().replace("dev='sdb'", "dev='sdc'"));
  await events.domain('DSM', now => now?.hardware.disks.some(disk => disk.target === 'sdc') ?? false);
});

test('undefined while it runs, it is transient; off, it is gone', async () => {
  const domain = daemon.define();
  domain.start();
  const { events } = await started();
  domain.undefine();
  await events.domain('DSM', now => now?.persistent === false);
  domain.powerOff();
  await events.domain('DSM', now => now === null);
});

test('autostart, of which no event tells, is seen when all is read again', async () => {
  const domain = daemon.define();
  const { events, watch } = await started();
  domain.autostart = true;
  watch.resync();
  await events.domain('DSM', now => now?.autostart === true);
});

test('events during the first read lead to one more, however many they are', async () => {
  const domain = daemon.define();
  const { watch, events } = watching();
  const client = await connect();
  using stuck = daemon.hang('domainGetState', { effect: true });
  const begun = watch.begin(client);
  await daemon.called('domainGetState');
  domain.start();
  for (let i = 0; i < 10; i++) {
    domain.pause();
    domain.resume();
  }
  // All these events are in before the answer.
  await client.hostname();
  stuck.release();
  await begun;
  expect(events.states('DSM').at(-1)).toBe('running/unpaused');
  expect(watch.target('DSM')?.domain).toMatchObject({ active: true, hardware: { nics: [{ tap: 'vnet0' }] } });
  expect(daemon.callsOf('domainGetState').length).toBeLessThanOrEqual(3);
});

test('reads of one domain never overlap', async () => {
  const domain = daemon.define();
  const { watch, client } = await started();
  using stuck = daemon.hang('domainLookupByName', { times: 1 });
  domain.start();
  await daemon.called('domainLookupByName', 2);
  domain.pause();
  const hinted = watch.hint('DSM');
  await client.hostname();
  expect(daemon.callsOf('domainLookupByName')).toHaveLength(2);
  stuck.release();
  await hinted;
  expect(watch.target('DSM')?.domain.state).toBe('paused');
});

test('a domain that vanishes between two calls is gone, and no failure', async () => {
  const { events, client, log } = await started();
  const domain = daemon.define();
  using stuck = daemon.hang('domainGetXmlDesc');
  await daemon.called('domainGetXmlDesc');
  domain.undefine();
  stuck.release();
  await daemon.called('domainLookupByName', 3);
  await client.hostname();
  expect(events.states('DSM')).toEqual(['gone']);
  expect(log.of('domain.read_failed')).toEqual([]);
});

test('a domain that was undefined during its first read is not there', async () => {
  const domain = daemon.define();
  const { watch, events } = watching();
  const client = await connect();
  using stuck = daemon.hang('domainIsPersistent', { times: 1 });
  const begun = watch.begin(client);
  await daemon.called('domainIsPersistent');
  domain.undefine();
  stuck.release();
  await begun;
  expect(watch.targets()).toEqual([]);
  expect(events.states('DSM')).toEqual(['gone']);
});

test('a daemon that knows few events is watched by those', async () => {
  await listen({ maxEventId: 1 });
  const domain = daemon.define();
  const { events, log } = await started();
  expect(log.of('libvirt.events_unknown')[0]?.['refused']).toContain('deviceAdded');
  domain.start();
  await events.domain('DSM', now => now?.active === true);
});

describe('a connection later', () => {
  test('nothing has changed: nothing is told but that libvirt is up', async () => {
    daemon.define().start();
    const { watch, events, client } = await started();
    const before = events.all.length;
    await client.close();
    await watch.begin(await connect());
    expect(events.all.slice(before).map(({ type }) => type)).toEqual(['hypervisor_up']);
  });

  test('it stopped meanwhile', async () => {
    const domain = daemon.define();
    domain.start();
    const { watch, events, client } = await started();
    await client.close();
    domain.powerOff();
    await watch.begin(await connect());
    expect(events.states('DSM').at(-1)).toBe('shut_off/shutdown');
  });

  test('it was off and runs again: both are told', async () => {
    const domain = daemon.define();
    domain.start();
    const { watch, events, client } = await started();
    await client.close();
    domain.destroy();
    domain.start();
    await watch.begin(await connect());
    expect(events.states('DSM')).toEqual([
      'running/booted',
      'shut_off/unseen',
      'running/booted',
      // Its NIC has another tap.
      'running/booted',
    ]);
    expect(watch.target('DSM')?.ref.id).toBe(2);
  });

  test('events of the one before are not heard', async () => {
    const domain = daemon.define();
    const { watch, client } = await started();
    await watch.begin(await connect());
    const before = daemon.callsOf('domainGetState').length;
    const old = daemon.callsOf('domainGetState')[0]?.client;
    domain.start();
    await daemon.called('domainGetState', before + 1);
    await client.hostname();
    expect(
      daemon
        .callsOf('domainGetState')
        .slice(before)
        .map(call => call.client),
    ).not.toContain(old);
  });

  test('hints without one are let be', async () => {
    daemon.define();
    const { watch, client, log } = await started();
    await client.close();
    const before = daemon.calls.length;
    await watch.hint('DSM');
    watch.resync();
    await watch.hint('nobody');
    expect(daemon.calls).toHaveLength(before);
    expect(log.of('domain.read_failed')).toEqual([]);
  });
});

test('a read without an answer ends the connection, so that all is read anew', async () => {
  const domain = daemon.define();
  const { log, client } = await started('DSM', { statePatience: 200 });
  const closed = new Promise(resolve => client.onClosed(resolve));
  using _hang = daemon.hang('domainGetState', { times: 1 });
  domain.start();
  await closed;
  expect(log.of('domain.read_failed')).toMatchObject([{ level: 'warn', vm: 'DSM' }]);
});

test('one that libvirt refuses is told once, and the other domains are watched as ever', async () => {
  daemon.define();
  const other = daemon.define({ name: 'other', uuid: otherUuid });
  const { watch, events, log, client } = await started(['DSM', 'other']);
  const refusal = daemon.refuse('domainGetState', 88, 'access denied');
  await watch.hint('DSM');
  await watch.hint('DSM');
  expect(watch.target('DSM')?.domain).toMatchObject({ state: 'unknown', reason: 'not_readable' });
  expect(log.of('domain.read_refused')).toMatchObject([{ level: 'warn', vm: 'DSM', code: 88 }]);
  refusal[Symbol.dispose]();
  other.start();
  await events.domain('vm1', now => now?.state === 'running');
  expect(await client.hostname()).toBe('nas-host');
});

test('one that fails because the connection is lost is not told beside the loss', async () => {
  const domain = daemon.define();
  const { client, log } = await started();
  const closed = new Promise(resolve => client.onClosed(resolve));
  using _drop = daemon.drop('domainGetState', { times: 1 });
  domain.start();
  await closed;
  expect(log.of('domain.read_failed')).toEqual([]);
});

describe('a definition that cannot be read', () => {
  test('because libvirt waits for a QEMU that hangs: state goes on, it follows when it comes', async () => {
    await listen({ libvirtVersion: 12_008_000 });
    const [domain, healthy] = [daemon.define(), daemon.define({ name: 'other', uuid: otherUuid })];
    domain.start();
    domain.hang();
    const client = await connect();
    const stats = client.stats([domain.ref], 0, everyParam, { timeout: 60_000 });
    await daemon.called('connectGetAllDomainStats');
    const { watch, events, log } = watching(['DSM', 'other'], { patience: 50 });
    await watch.begin(await connect());
    expect(watch.target('DSM')?.domain).toMatchObject({ state: 'running', active: true, hardware: { disks: [] } });
    expect(watch.target('vm1')?.domain.hardware.disks).toHaveLength(3);
    // Others are watched as ever, and nobody queues up behind it.
    const before = daemon.callsOf('domainGetXmlDesc').length;
    for (let i = 0; i < 6; i++) await watch.hint('DSM');
    healthy.start();
    await events.domain('vm1', now => now?.state === 'running');
    const asked = daemon.callsOf('domainGetXmlDesc').slice(before);
    expect(asked.map(({ args }) => args.domain.uuid)).not.toContain(uuid);
    expect(log.of('domain.definition_unknown')).toMatchObject([{ level: 'warn', vm: 'DSM' }]);
    domain.unhang();
    await stats;
    await events.domain('DSM', now => now?.hardware.disks.length === 3);
  });

  test('four that hang at once leave states and commands their places', async () => {
    await listen({ libvirtVersion: 12_008_000 });
    const stuck = daemon.defineMany(4);
    const healthy = daemon.define();
    for (const domain of stuck) {
      domain.start();
      domain.hang();
    }
    const hung = await connect();
    const calls = stuck.map(domain => hung.stats([domain.ref], 0, everyParam, { timeout: 60_000 }).catch(() => {}));
    for (const [i] of stuck.entries()) await daemon.called('connectGetAllDomainStats', i + 1);
    const { watch, events } = watching(['DSM', ...stuck.map(({ ref }) => ref.name)], { patience: 50 });
    await watch.begin(await connect());
    healthy.start();
    await events.domain('DSM', now => now?.state === 'running');
    expect(watch.targets()).toHaveLength(5);
    for (const domain of stuck) domain.unhang();
    await Promise.all(calls);
    await events.domain('vm4', now => now?.hardware.disks.length === 3);
  });

  test('because it makes no sense: the domain is there all the same, and once told', async () => {
    daemon.define('<domain><name>DSM</name><uuid>186682f9-0f0b-4a9e-867b-364706339405</uuid><__proto__/></domain>');
    const { watch, log, events } = await started();
    expect(watch.target('DSM')?.domain).toMatchObject({ state: 'shut_off', hardware: { disks: [] } });
    await watch.hint('DSM');
    expect(log.of('domain.definition_unknown')).toHaveLength(1);
    daemon.define();
    await events.domain('DSM', now => now?.hardware.disks.length === 3);
  });

  test('keeps what was last seen of a domain that is known', async () => {
    const domain = daemon.define();
    const { watch, events } = await started();
    using _refusal = daemon.refuse('domainGetXmlDesc', 88, 'access denied');
    domain.start();
    await events.domain('DSM', now => now?.active === true);
    await watch.hint('DSM');
    expect(watch.target('DSM')?.domain.hardware.disks).toHaveLength(3);
  });

  test('keeps it too of a domain that was gone for a while', async () => {
    const domain = daemon.define();
    const { watch, events } = await started();
    domain.undefine();
    await events.domain('DSM', now => now === null);
    using _refusal = daemon.refuse('domainGetXmlDesc', 88, 'access denied');
    daemon.define();
    await watch.hint('DSM');
    expect(watch.target('DSM')?.domain.hardware.disks).toHaveLength(3);
  });
});
