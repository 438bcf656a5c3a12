import { execFileSync } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bridge } from '../../../src/checks/probes/bridge.ts';
import type { Nic } from '../../../src/model/domain.ts';
import { FakeHost } from '../host/fake-host.ts';

const mac = '52:54:00:d5:30:01';
const nic: Nic = { mac, model: 'virtio', source: 'br0', tap: 'vnet0', type: 'bridge', link: null };

let host: FakeHost;

beforeEach(async () => {
  host = await FakeHost.make();
});

afterEach(() => host[Symbol.asyncDispose]());

function look(nics: Nic | Nic[] = nic, { local = true } = {}) {
  const limits = { timeout: 5_000, signal: new AbortController().signal };
  return bridge({ nics: [nics].flat(), local, root: host.root }, limits);
}

/** A bridge with a tap, and a network card unless told otherwise; resolves to the tap's port. */
async function healthy({ uplink = true } = {}): Promise<number> {
  await host.device('br0', { bridge: true });
  await host.device('vnet0');
  if (uplink) {
    await host.device('eno1', { hardware: true });
    await host.plug('eno1', 'br0');
  }
  return host.plug('vnet0', 'br0');
}

describe('well', () => {
  test('tap, bridge and way out', async () => {
    await healthy();
    const explanation =
      'Its tap vnet0 is up and plugged into br0, whose way out eno1 has a link; no frame of it has been heard lately.';
    expect(await look()).toEqual({ kind: 'ok', ms: null, mac, worst: null, explanation });
  });

  test('a bridge without a network card is said to be an island', async () => {
    await healthy({ uplink: false });
    await host.device('veth1');
    await host.plug('veth1', 'br0');
    const { kind, explanation } = await look();
    expect(kind).toBe('ok');
    expect(explanation).toContain('has no network card, so that only this host');
  });

  test.each([
    [0, 'its last frame was heard less than a second ago'],
    [2, 'its last frame was heard 2 s ago'],
  ])('a frame of %i s ago', async (age, words) => {
    const port = await healthy();
    await host.hear(
      'br0',
      { mac: 'fe:54:00:d5:30:01', port, local: true, age: 0 },
      { mac: '00:11:22:33:44:55', port: port - 1, age: 1 },
      { mac, port, age },
    );
    expect((await look()).explanation).toContain(words);
  });

  test('its MAC heard at another port is not its own voice', async () => {
    const port = await healthy();
    await host.hear('br0', { mac, port: port - 1, age: 2 });
    expect((await look()).explanation).toContain('no frame of it has been heard lately');
  });

  test('a bridge that does not tell what it hears', async () => {
    await healthy();
    await rm(join(host.root, 'sys/class/net/br0/brforward'));
    expect((await look()).explanation).toMatch(/has a link\.$/);
  });

  test.each([
    ['a bond', async () => host.device('bond0', { over: ['eno1', 'eno2'] }), 'bond0'],
    ['a VLAN on a bond', async () => host.device('bond0.7', { over: ['bond0'] }), 'bond0.7'],
  ])('%s is a way out', async (_, make, name) => {
    await healthy({ uplink: false });
    await host.device('eno1', { hardware: true });
    if (name !== 'bond0') await host.device('bond0', { over: ['eno1'] });
    await make();
    await host.plug(name, 'br0');
    expect((await look()).explanation).toContain(`whose way out ${name} has a link`);
  });

  test('one of two network cards is enough', async () => {
    await healthy();
    await host.device('eno2', { hardware: true, carrier: false });
    await host.plug('eno2', 'br0');
    expect((await look()).explanation).toContain('whose way out eno1 has a link');
  });
});

describe('bridge netfilter is a note', () => {
  test.each([
    ['off', false, false, false],
    ['for every bridge', true, false, true],
    ['for this bridge', false, true, true],
  ])('%s', async (_, all, one, noted) => {
    await host.device('br0', { bridge: { filtered: one } });
    await host.device('vnet0');
    await host.plug('vnet0', 'br0');
    await host.netfilter(all);
    const { kind, explanation } = await look();
    expect(kind).toBe('ok');
    expect(explanation.includes('firewall rules judge this traffic too.')).toBe(noted);
  });

  test('without its module the setting means nothing', async () => {
    await host.device('br0', { bridge: { filtered: true } });
    await host.device('vnet0');
    await host.plug('vnet0', 'br0');
    expect((await look()).explanation).not.toContain('firewall');
  });

  test('where Docker is, it is named', async () => {
    await healthy();
    await host.netfilter(true);
    await host.device('docker0', { bridge: true, up: false });
    expect((await look()).explanation).toContain("Docker's are known to drop it");
  });
});

describe('what is wrong, the nearest to the guest first', () => {
  test('its link set down, wherever libvirt is', async () => {
    const expected = { kind: 'link_down', explanation: expect.stringContaining(mac) };
    expect(await look({ ...nic, link: 'down' })).toMatchObject(expected);
    expect(await look({ ...nic, link: 'down' }, { local: false })).toMatchObject(expected);
  });

  test('no tap in the definition, or none on the host', async () => {
    await host.device('br0', { bridge: true });
    expect(await look({ ...nic, tap: null })).toMatchObject({ kind: 'no_tap' });
    expect(await look()).toMatchObject({ kind: 'no_tap', explanation: 'Its tap vnet0 does not exist.' });
  });

  test('the tap down', async () => {
    await host.device('br0', { bridge: true });
    await host.device('vnet0', { up: false });
    expect(await look()).toMatchObject({ kind: 'tap_down', explanation: 'Its tap vnet0 is down.' });
  });

  test('the tap nowhere, or elsewhere', async () => {
    await host.device('br0', { bridge: true });
    await host.device('br1', { bridge: true });
    await host.device('vnet0');
    const explanation = 'Its tap vnet0 is plugged into no bridge instead of br0.';
    expect(await look()).toMatchObject({ kind: 'misplugged', explanation });
    await host.plug('vnet0', 'br1');
    const elsewhere = 'Its tap vnet0 is plugged into br1 instead of br0.';
    expect(await look()).toMatchObject({ kind: 'misplugged', explanation: elsewhere });
  });

  test('the bridge gone', async () => {
    await host.device('vnet0');
    const explanation = 'Its tap vnet0 is plugged into no bridge instead of br0, which does not exist.';
    expect(await look()).toMatchObject({ kind: 'misplugged', explanation });
  });

  test('the bridge down', async () => {
    await host.device('br0', { bridge: true, up: false });
    await host.device('vnet0');
    await host.plug('vnet0', 'br0');
    expect(await look()).toMatchObject({ kind: 'bridge_down', explanation: 'Its bridge br0 is down.' });
  });

  test.each([
    { hardware: true, carrier: false },
    { hardware: true, up: false },
  ])('no link at the way out: %o', async options => {
    await healthy({ uplink: false });
    await host.device('eno1', options);
    await host.plug('eno1', 'br0');
    const explanation = 'Its bridge br0 is cut off: no cable or no link at eno1.';
    expect(await look()).toMatchObject({ kind: 'no_uplink', explanation });
  });
});

describe('what cannot be told', () => {
  test.each([
    ['macvtap', { type: 'direct', source: 'eno1', tap: 'macvtap0' }, 'macvtap'],
    ['user networking', { type: 'user', source: null, tap: null }, 'not_applicable'],
    ['a device passed through', { type: 'hostdev', source: null, tap: null }, 'not_applicable'],
    ['a kind that is not known', { type: null }, 'not_applicable'],
  ])('%s', async (_, change, kind) => {
    await healthy();
    expect(await look({ ...nic, ...change })).toMatchObject({ kind });
  });

  test('libvirt on another machine', async () => {
    await healthy();
    expect(await look(nic, { local: false })).toMatchObject({
      kind: 'not_applicable',
      explanation: expect.stringContaining('another machine'),
    });
  });

  test('a container without the host’s network', async () => {
    await host.device('eth0');
    expect(await look()).toMatchObject({
      kind: 'not_applicable',
      explanation: "This process does not see the host's network; a container needs the host's network for this.",
    });
  });

  test('another system', async () => {
    await rename(join(host.root, 'sys'), join(host.root, 'gone'));
    expect(await look()).toMatchObject({ kind: 'not_applicable' });
  });

  test('no NIC at all', async () => {
    expect(await look([])).toMatchObject({ kind: 'not_applicable', explanation: 'It has no NIC.' });
  });

  test('names that lead out of the folder are no devices', async () => {
    const odd = { ...nic, tap: '../../../sys/class/net', source: '..' };
    expect(await look(odd)).toMatchObject({ kind: 'not_applicable' });
  });
});

test('Open vSwitch: the tap is there and up, and no more is claimed', async () => {
  await host.device('br0');
  await host.device('ovs-system', { up: false });
  await host.device('vnet0');
  await host.plug('vnet0', 'ovs-system', { bridge: false });
  const { kind, explanation } = await look();
  expect([kind, explanation]).toEqual(['ok', expect.stringContaining('Open vSwitch')]);
});

test('a network of libvirt’s that does not say its bridge is where its tap is', async () => {
  await healthy();
  const network = { ...nic, type: 'network', source: 'default' };
  expect(await look(network)).toMatchObject({ kind: 'ok', explanation: expect.stringContaining('plugged into br0') });
  await host.device('vnet1');
  expect(await look({ ...network, tap: 'vnet1' })).toMatchObject({
    kind: 'misplugged',
    explanation: 'Its tap vnet1 is plugged into no bridge instead of default.',
  });
});

test('a bare tap', async () => {
  await host.device('vnet0');
  expect(await look({ ...nic, type: 'ethernet', source: null })).toMatchObject({ kind: 'ok' });
});

describe('several NICs', () => {
  const second: Nic = { ...nic, mac: '52:54:00:d5:30:02', tap: 'vnet1' };

  test('one that is well is enough, and the other is named', async () => {
    await healthy();
    const { kind, explanation } = await look([second, nic]);
    expect(kind).toBe('ok');
    expect(explanation).toMatch(/^Its tap vnet0 .*; but of NIC 52:54:00:d5:30:02: its tap vnet1 does not exist\.$/);
  });

  test('without one, what failed counts before what cannot be told', async () => {
    await host.device('br0', { bridge: true });
    const { kind, explanation } = await look([{ ...nic, type: 'direct', source: 'eno1' }, second]);
    expect(kind).toBe('no_tap');
    expect(explanation).toContain('macvtap');
  });

  test('what is the same for all is said once', async () => {
    const { explanation } = await look([nic, second]);
    expect(explanation.match(/container/g)).toHaveLength(1);
  });
});

describe('limits', () => {
  test('a kernel that does not answer is waited for as long as is allowed, and no longer', async () => {
    await healthy();
    const carrier = join(host.root, 'sys/class/net/eno1/carrier');
    await rm(carrier);
    execFileSync('sh', ['-c', 'mkfifo "$0"', carrier]);
    const limits = { timeout: 20, signal: new AbortController().signal };
    const answer = await bridge({ nics: [nic], local: true, root: host.root }, limits);
    // Lets the thread go that still waits for somebody to write.
    execFileSync('sh', ['-c', 'exec 3<>"$0"; echo 1 >&3', carrier]);
    expect(answer).toMatchObject({ kind: 'not_applicable', explanation: expect.stringContaining('in time') });
  });

  test('told to stop beforehand, it rejects', async () => {
    const limits = { timeout: 5_000, signal: AbortSignal.abort(new Error('stop')) };
    await expect(bridge({ nics: [nic], local: true, root: host.root }, limits)).rejects.toThrow('stop');
  });
});
