/** What of a NIC's cable is found on a host, and what is blamed first. */
import { execFileSync } from 'node:child_process';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bridge } from '../../../src/checks/probes/bridge.ts';
import type { Nic } from '../../../src/model/domain.ts';
import { type DeviceOptions, type Entry, FakeHost } from '../host/fake-host.ts';

const mac = '52:54:00:d5:30:01';
const nic: Nic = { mac, model: 'virtio', source: 'br0', tap: 'vnet0', type: 'bridge', link: null };

let host: FakeHost;

beforeEach(async () => {
  host = await FakeHost.make();
});

afterEach(() => host[Symbol.asyncDispose]());

function look(nics: Nic | Nic[] = nic, { local = true, timeout = 5_000 } = {}) {
  const limits = { timeout, signal: new AbortController().signal };
  return bridge({ nics: [nics].flat(), local, root: host.root }, limits);
}

/** Devices by name, in order; those with a master are plugged into it. */
type Devices = Record<string, DeviceOptions & { master?: string }>;

async function wire(devices: Devices): Promise<void> {
  for (const [name, { master, ...options }] of Object.entries(devices)) {
    await host.device(name, options);
    if (master) await host.plug(name, master, { bridge: devices[master]?.bridge !== undefined });
  }
}

const br0 = { bridge: true } as const;
const vnet0 = { master: 'br0' };
const card = { hardware: true, master: 'br0' };
const healthy: Devices = { br0, eno1: card, vnet0 };

test('well: tap, bridge and way out', async () => {
  await wire(healthy);
  const explanation =
    'Its tap vnet0 is up and plugged into br0, whose way out eno1 has a link; no frame of it has been heard lately.';
  expect(await look()).toEqual({ kind: 'ok', ms: null, mac, worst: null, explanation });
});

test.each<[what: string, devices: Devices, words: string]>([
  ['a bridge without a network card is an island', { br0, vnet0, veth1: vnet0 }, 'has no network card, so that only'],
  [
    'a bond is a way out',
    { br0, vnet0, eno1: { hardware: true }, bond0: { over: ['eno1', 'eno2'], master: 'br0' } },
    'whose way out bond0 has a link',
  ],
  [
    'a VLAN on a bond is one',
    { br0, vnet0, eno1: { hardware: true }, bond0: { over: ['eno1'] }, 'bond0.7': { over: ['bond0'], master: 'br0' } },
    'whose way out bond0.7 has a link',
  ],
  ['one of two network cards is enough', { ...healthy, eno2: { ...card, carrier: false } }, 'way out eno1 has a link'],
  [
    'Open vSwitch: no more is claimed than that the tap is there',
    { br0: {}, 'ovs-system': { up: false }, vnet0: { master: 'ovs-system' } },
    'Open vSwitch',
  ],
])('well: %s', async (_, devices, words) => {
  await wire(devices);
  expect(await look()).toMatchObject({ kind: 'ok', explanation: expect.stringContaining(words) });
});

describe('what the bridge has heard', () => {
  const ours: Entry = { mac, port: 2, age: 2 };
  test.each<[what: string, entries: Entry[], words: string]>([
    ['a moment ago', [{ ...ours, age: 0 }], 'its last frame was heard less than a second ago'],
    [
      'among others',
      [{ ...ours, mac: 'fe:54:00:d5:30:01', local: true, age: 0 }, { ...ours, mac: '00:11:22:33:44:55', age: 1 }, ours],
      'its last frame was heard 2 s ago',
    ],
    ['its MAC at another port', [{ ...ours, port: 1 }], 'no frame of it has been heard lately'],
  ])('%s', async (_, entries, words) => {
    await wire(healthy);
    await host.hear('br0', ...entries);
    expect((await look()).explanation).toContain(words);
  });

  test('nothing is said of it where the bridge does not tell', async () => {
    await wire(healthy);
    await rm(join(host.root, 'sys/class/net/br0/brforward'));
    expect((await look()).explanation).toMatch(/has a link\.$/);
  });
});

describe('bridge netfilter is a note', () => {
  test.each<[what: string, everyBridge: boolean | null, thisOne: boolean, devices: Devices, note: string | null]>([
    ['off', false, false, {}, null],
    ['for every bridge', true, false, {}, 'firewall rules judge this traffic too.'],
    ['for this bridge', false, true, {}, 'firewall rules judge this traffic too.'],
    ['without its module', null, true, {}, null],
    ['where Docker is', true, false, { docker0: { bridge: true, up: false } }, "Docker's are known to drop it"],
  ])('%s', async (_, everyBridge, filtered, devices, note) => {
    await wire({ br0: { bridge: { filtered } }, vnet0, ...devices });
    if (everyBridge !== null) await host.netfilter(everyBridge);
    const { kind, explanation } = await look();
    expect([kind, explanation.includes(note ?? 'firewall')]).toEqual(['ok', note !== null]);
  });
});

describe('what is wrong, the nearest to the guest first', () => {
  test.each<[devices: Devices, nic: Partial<Nic>, kind: string, words: string]>([
    [healthy, { link: 'down' }, 'link_down', `The link of its NIC ${mac} is set down`],
    [{ br0 }, { tap: null }, 'no_tap', 'has no tap that libvirt could name.'],
    [{ br0 }, {}, 'no_tap', 'Its tap vnet0 does not exist.'],
    [{ br0, vnet0: { up: false } }, {}, 'tap_down', 'Its tap vnet0 is down.'],
    [{ br0, vnet0: {} }, {}, 'misplugged', 'Its tap vnet0 is plugged into no bridge instead of br0.'],
    [{ br0, br1: br0, vnet0: { master: 'br1' } }, {}, 'misplugged', 'vnet0 is plugged into br1 instead of br0.'],
    [{ vnet0: {} }, {}, 'misplugged', 'plugged into no bridge instead of br0, which does not exist.'],
    [{ br0: { bridge: true, up: false }, vnet0 }, {}, 'bridge_down', 'Its bridge br0 is down.'],
    [
      { br0, vnet0, eno1: { ...card, carrier: false } },
      {},
      'no_uplink',
      'br0 is cut off: no cable or no link at eno1.',
    ],
    [{ br0, vnet0, eno1: { ...card, up: false } }, {}, 'no_uplink', 'br0 is cut off: no cable or no link at eno1.'],
    // A network of libvirt's that does not say its bridge is where its tap is.
    [
      { ...healthy, vnet1: {} },
      { type: 'network', source: 'default', tap: 'vnet1' },
      'misplugged',
      'Its tap vnet1 is plugged into no bridge instead of default.',
    ],
  ])('%j %j: %s', async (devices, change, kind, words) => {
    await wire(devices);
    expect(await look({ ...nic, ...change })).toMatchObject({ kind, explanation: expect.stringContaining(words) });
  });

  test('its link set down, wherever libvirt is', async () => {
    expect(await look({ ...nic, link: 'down' }, { local: false })).toMatchObject({ kind: 'link_down' });
  });
});

describe('what is told of other kinds of NIC', () => {
  test.each<[what: string, nic: Partial<Nic>, kind: string]>([
    ['macvtap', { type: 'direct', source: 'eno1', tap: 'macvtap0' }, 'macvtap'],
    ['user networking', { type: 'user', source: null, tap: null }, 'not_applicable'],
    ['a device passed through', { type: 'hostdev', source: null, tap: null }, 'not_applicable'],
    ['a kind that is not known', { type: null }, 'not_applicable'],
    ["a network of libvirt's that does not say its bridge", { type: 'network', source: 'default' }, 'ok'],
    ['a bare tap', { type: 'ethernet', source: null }, 'ok'],
  ])('%s', async (_, change, kind) => {
    await wire(healthy);
    expect(await look({ ...nic, ...change })).toMatchObject({ kind });
  });
});

describe('what cannot be told', () => {
  const unseen = "This process does not see the host's network; a container needs the host's network for this.";
  test.each<[what: string, devices: Devices, nics: Nic[], local: boolean, words: string]>([
    ['libvirt on another machine', healthy, [nic], false, 'another machine'],
    ['a container without the host’s network', { eth0: {} }, [nic], true, unseen],
    ['no NIC at all', {}, [], true, 'It has no NIC.'],
    [
      'names that lead out of the folder are no devices',
      healthy,
      [{ ...nic, tap: '../../../sys/class/net', source: '..' }],
      true,
      unseen,
    ],
  ])('%s', async (_, devices, nics, local, words) => {
    await wire(devices);
    const expected = { kind: 'not_applicable', explanation: expect.stringContaining(words) };
    expect(await look(nics, { local })).toMatchObject(expected);
  });

  test('another system', async () => {
    await rename(join(host.root, 'sys'), join(host.root, 'gone'));
    expect(await look()).toMatchObject({ kind: 'not_applicable', explanation: unseen });
  });
});

describe('several NICs', () => {
  const second: Nic = { ...nic, mac: '52:54:00:d5:30:02', tap: 'vnet1' };

  test('one that is well is enough, and the other is named', async () => {
    await wire(healthy);
    const { kind, explanation, worst } = await look([second, nic]);
    expect([kind, worst?.kind, worst?.mac]).toEqual(['ok', 'no_tap', second.mac]);
    expect(explanation).toMatch(/^Its tap vnet0 .*; but of NIC 52:54:00:d5:30:02: its tap vnet1 does not exist\.$/);
  });

  test('without one, what failed counts before what cannot be told', async () => {
    await wire({ br0 });
    const { kind, explanation } = await look([{ ...nic, type: 'direct', source: 'eno1' }, second]);
    expect(kind).toBe('no_tap');
    expect(explanation).toContain('macvtap');
  });

  test('what is the same for all is said once', async () => {
    const { explanation } = await look([nic, second]);
    expect(explanation.match(/container/g)).toHaveLength(1);
  });
});

test('a kernel that does not answer is waited for as long as is allowed, and no longer', async () => {
  await wire(healthy);
  const carrier = join(host.root, 'sys/class/net/eno1/carrier');
  await rm(carrier);
  await writeFile(join(host.root, 'sys/class/net/eno1/operstate'), 'unknown\n');
  execFileSync('sh', ['-c', 'mkfifo "$0"', carrier]);
  const answer = await look(nic, { timeout: 20 });
  // Lets the thread go that still waits for somebody to write.
  execFileSync('sh', ['-c', 'exec 3<>"$0"; echo 1 >&3', carrier]);
  expect(answer).toMatchObject({ kind: 'not_applicable', explanation: expect.stringContaining('in time') });
});

test('told to stop beforehand, it rejects', async () => {
  const limits = { timeout: 5_000, signal: AbortSignal.abort(new Error('stop')) };
  await expect(bridge({ nics: [nic], local: true, root: host.root }, limits)).rejects.toThrow('stop');
});
