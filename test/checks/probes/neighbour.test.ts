import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type NeighbourTarget, neighbour } from '../../../src/checks/probes/neighbour.ts';
import { slow } from '../../eventually.ts';
import { FakeHost } from '../host/fake-host.ts';

const mac = '52:54:00:d5:30:01';
const other = '00:11:32:00:00:01';
const networks = [{ device: 'br0', address: '10.99.0.1', netmask: '255.255.255.0' }];

let host: FakeHost;

beforeEach(async () => {
  host = await FakeHost.make();
  await host.arp();
});

afterEach(() => host[Symbol.asyncDispose]());

/** Asks in vain for a moment only, unless told otherwise. */
function ask(target: Partial<NeighbourTarget>, { timeout = 60, signal = new AbortController().signal } = {}) {
  const nudge = () => {};
  return neighbour({ macs: [mac], candidates: [], root: host.root, networks, nudge, ...target }, { timeout, signal });
}

/** Has the kernel know its neighbours as soon as it is nudged. */
function learning(...rows: Parameters<FakeHost['arp']>) {
  const asked: string[] = [];
  const nudge = (addresses: readonly string[]) => {
    asked.push(...addresses);
    void host.arp(...rows);
  };
  return { asked, nudge };
}

test('it is asked for, and answers', async () => {
  const { asked, nudge } = learning(['10.99.0.7', null], ['10.99.0.20', mac]);
  const finding = await ask({ candidates: ['10.99.0.20'], macs: [mac.toUpperCase()], nudge }, { timeout: 5_000 });
  expect(finding).toMatchObject({ kind: 'ok', address: '10.99.0.20' });
  expect(finding.explanation).toBe("The guest's network card answers at 10.99.0.20.");
  expect(finding.ms).toBeGreaterThanOrEqual(0);
  expect(asked).toEqual(['10.99.0.20']);
});

test('of several candidates the one that answers', async () => {
  const { asked, nudge } = learning(['10.99.0.5', other], ['10.99.0.20', mac]);
  const candidates = ['10.99.0.5', '10.99.0.20', '10.99.0.5', '192.168.1.1', 'nonsense'];
  expect(await ask({ candidates, nudge }, { timeout: 5_000 })).toMatchObject({ kind: 'ok', address: '10.99.0.20' });
  expect(asked).toEqual(['10.99.0.5', '10.99.0.20']);
});

test('what was known already is believed, said so, and nudged all the same', async () => {
  await host.arp(['10.99.0.20', mac]);
  const { asked, nudge } = learning(['10.99.0.20', mac]);
  const { kind, explanation } = await ask({ candidates: ['10.99.0.20'], nudge });
  expect([kind, explanation]).toEqual([
    'ok',
    "The guest's network card has answered within the last minute at 10.99.0.20.",
  ]);
  expect(asked).toEqual(['10.99.0.20']);
});

test('without a candidate, wherever the kernel knows it', async () => {
  await host.arp(['10.99.0.9', mac]);
  const { asked, nudge } = learning(['10.99.0.9', mac]);
  expect(await ask({ nudge })).toMatchObject({ kind: 'ok', address: '10.99.0.9' });
  expect(asked).toEqual(['10.99.0.9']);
});

test('moved by DHCP: not where it was, but somewhere', async () => {
  await host.arp(['10.99.0.9', mac], ['10.99.0.20', null]);
  const finding = await ask({ candidates: ['10.99.0.20'] });
  expect(finding).toMatchObject({ kind: 'ok', address: '10.99.0.9' });
  expect(finding.explanation).toContain('at 10.99.0.9, and not at 10.99.0.20');
});

test('another machine has its address: known at once, and not only in the end', async () => {
  const { nudge } = learning(['10.99.0.20', other]);
  const finding = await ask({ candidates: ['10.99.0.20'], nudge }, { timeout: 60_000 });
  expect(finding).toEqual({
    kind: 'taken',
    ms: null,
    address: null,
    explanation: `Another machine answers at 10.99.0.20: its network card is ${other}.`,
  });
});

test('this machine itself has its address', async () => {
  expect(await ask({ candidates: ['10.99.0.1'] })).toMatchObject({
    kind: 'taken',
    explanation: "The address 10.99.0.1 is this machine's own, so it cannot be the guest's.",
  });
});

test('silence', async () => {
  const { nudge } = learning(['10.99.0.20', null]);
  expect(await ask({ candidates: ['10.99.0.20'], nudge })).toEqual({
    kind: 'silent',
    ms: null,
    address: null,
    explanation: 'No network card answers at 10.99.0.20.',
  });
});

test('silence lasts a second, however much time there is', async () => {
  const started = performance.now();
  expect(await ask({ candidates: ['10.99.0.20'] }, { timeout: 60_000 })).toMatchObject({ kind: 'silent' });
  expect(performance.now() - started).toBeLessThan(slow);
});

describe('not applicable, and at once', () => {
  const patient = { timeout: 60_000 };

  test('no address at all', async () => {
    expect(await ask({}, patient)).toMatchObject({ kind: 'not_applicable', address: null });
  });

  test('an address behind a router', async () => {
    const { asked, nudge } = learning();
    const finding = await ask({ candidates: ['192.168.1.20'], nudge }, patient);
    expect(finding).toMatchObject({ kind: 'not_applicable', explanation: expect.stringContaining('192.168.1.20') });
    expect(asked).toEqual([]);
  });

  test('an address at the other end of a tunnel', async () => {
    await host.device('tun0', { noArp: true });
    const tunnel = [{ device: 'tun0', address: '10.8.0.1', netmask: '255.255.255.0' }];
    expect(await ask({ candidates: ['10.8.0.2'], networks: tunnel }, patient)).toMatchObject({
      kind: 'not_applicable',
    });
  });
});

test('told to stop, it stops', async () => {
  await expect(ask({ candidates: ['10.99.0.20'] }, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow(
    'no',
  );
  const controller = new AbortController();
  const nudge = () => controller.abort(new Error('stop'));
  const asked = ask({ candidates: ['10.99.0.20'], nudge }, { timeout: 60_000, signal: controller.signal });
  await expect(asked).rejects.toThrow();
});

test('the real nudge and the real networks harm nobody', async () => {
  const limits = { timeout: 60, signal: new AbortController().signal };
  const loopback = [{ device: 'lo', address: '127.0.0.1', netmask: '255.0.0.0' }];
  const candidates = ['127.74.3.1'];
  const target = { macs: [mac], candidates, root: host.root };
  expect(await neighbour({ ...target, networks: loopback }, limits)).toMatchObject({ kind: 'silent' });
  expect(await neighbour(target, limits)).toMatchObject({ kind: 'not_applicable' });
});
