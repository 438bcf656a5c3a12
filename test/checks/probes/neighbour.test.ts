import { afterEach, beforeEach, expect, test } from 'vitest';
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

type Rows = Parameters<FakeHost['arp']>;

/** Has the kernel know its neighbours as soon as it is nudged. */
function learning(rows: Rows) {
  const asked: string[] = [];
  const nudge = (addresses: readonly string[]) => {
    asked.push(...addresses);
    void host.arp(...rows);
  };
  return { asked, nudge };
}

const mine: Rows = [['10.99.0.20', mac]];
const elsewhere: Rows = [['10.99.0.9', mac]];
const nobody: Rows = [['10.99.0.20', null]];

test.each<[what: string, before: Rows, learnt: Rows, candidates: string[], asked: string[], words: string]>([
  ['answers', [], [['10.99.0.7', null], ...mine], ['10.99.0.20'], ['10.99.0.20'], 'answers at 10.99.0.20.'],
  [
    'answers at one of several candidates',
    [],
    [['10.99.0.5', other], ...mine],
    ['10.99.0.5', '10.99.0.20', '10.99.0.5', '192.168.1.1', 'nonsense'],
    ['10.99.0.5', '10.99.0.20'],
    'answers at 10.99.0.20.',
  ],
  ['was known, and is nudged', mine, mine, ['10.99.0.20'], ['10.99.0.20'], 'has answered within the last minute at'],
  ['is known somewhere', elsewhere, elsewhere, [], ['10.99.0.9'], 'has answered within the last minute at 10.99.0.9.'],
  [
    'was moved by DHCP',
    [...elsewhere, ...nobody],
    [...elsewhere, ...nobody],
    ['10.99.0.20'],
    ['10.99.0.20', '10.99.0.9'],
    'at 10.99.0.9, and not at 10.99.0.20.',
  ],
])('its network card %s', async (_, before, learnt, candidates, wanted, words) => {
  await host.arp(...before);
  const { asked, nudge } = learning(learnt);
  const patient = { timeout: before.length > 0 ? 60 : 5_000 };
  const { kind, ms, explanation } = await ask({ candidates, nudge, macs: [mac.toUpperCase()] }, patient);
  expect(kind).toBe('ok');
  expect(ms).toBeGreaterThanOrEqual(0);
  expect(explanation).toContain(words);
  expect(asked).toEqual(wanted);
});

test.each<[what: string, learnt: Rows, candidates: string[], timeout: number, kind: string, explanation: string]>([
  [
    'another machine has its address, which is known at once',
    [['10.99.0.20', other]],
    ['10.99.0.20'],
    60_000,
    'taken',
    `Another machine answers at 10.99.0.20: its network card is ${other}.`,
  ],
  [
    'this machine itself has its address',
    [],
    ['10.99.0.1'],
    60,
    'taken',
    "The address 10.99.0.1 is this machine's own, so it cannot be the guest's.",
  ],
  ['silence', nobody, ['10.99.0.20'], 60, 'silent', 'No network card answers at 10.99.0.20.'],
  ['a second of silence', [], ['10.99.0.20'], 60_000, 'silent', 'No network card answers at 10.99.0.20.'],
  [
    'no address at all',
    [],
    [],
    60_000,
    'not_applicable',
    'No address of the guest is known, and its network card has not been heard of.',
  ],
  [
    'an address behind a router',
    [],
    ['192.168.1.20'],
    60_000,
    'not_applicable',
    'This machine has no link to a network of 192.168.1.20, and only there could it ask for the network card.',
  ],
])('%s', async (_, learnt, candidates, timeout, kind, explanation) => {
  const { nudge } = learning(learnt);
  const started = performance.now();
  expect(await ask({ candidates, nudge }, { timeout })).toEqual({ kind, ms: null, address: null, explanation });
  expect(performance.now() - started).toBeLessThan(slow);
});

test('an address at the other end of a tunnel is not asked for', async () => {
  await host.device('tun0', { noArp: true });
  const { asked, nudge } = learning([]);
  const tunnel = [{ device: 'tun0', address: '10.8.0.1', netmask: '255.255.255.0' }];
  const finding = await ask({ candidates: ['10.8.0.2'], networks: tunnel, nudge }, { timeout: 60_000 });
  expect([finding.kind, asked]).toEqual(['not_applicable', []]);
});

test('told to stop, it stops', async () => {
  const over = AbortSignal.abort(new Error('no'));
  await expect(ask({ candidates: ['10.99.0.20'] }, { signal: over })).rejects.toThrow('no');
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
