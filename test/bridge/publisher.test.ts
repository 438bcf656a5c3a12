/** What changed is said, once; to a new session everything, and that the bridge is there last. */
import { beforeEach, expect, test } from 'vitest';
import { Publisher } from '../../src/bridge/publisher.ts';
import { reduce } from '../../src/model/reduce.ts';
import type { Event, Snapshot } from '../../src/model/snapshot.ts';
import { State, States } from '../../src/model/state.ts';
import { unknownDisk, unknownStats } from '../../src/model/stats.ts';
import { type Publication, topics } from '../../src/model/topics.ts';
import { at, checkOf, domain, off, snapshotOf } from '../model/samples.ts';

let sent: Publication[];
let last: Publication | undefined;
let accepts: boolean;
let publisher: Publisher;
let snapshot: Snapshot;
/** The state of the only host. */
class Now extends State {
  constructor() {
    super(snapshot.vms);
  }

  override get snapshot(): Snapshot {
    return snapshot;
  }
}

beforeEach(() => {
  sent = [];
  accepts = true;
  snapshot = snapshotOf();
  publisher = new Publisher({
    topics: topics('b'),
    states: new States([new Now()]),
    identity: { version: '0.1.0', instance: 'nas', session: 'me', startedAt: at },
    send: publication => {
      if (!accepts) return false;
      sent.push(publication);
      last = publication;
      return true;
    },
  });
});

const work = {
  activity: 'starting',
  phase: 'calling',
  since: at,
  deadline: at,
  attempt: null,
  startAfterOff: false,
} as const;

/** The topics of what was sent since the last time. */
const told = () => sent.splice(0).map(({ topic }) => topic);

function happen(event: Event): string[] {
  const before = snapshot;
  snapshot = reduce(before, event);
  publisher.update(snapshot, before);
  return told();
}

test('a session begins: everything, online last', () => {
  publisher.all();
  expect(sent.map(({ topic, qos, retain }) => [topic, qos, retain])).toEqual([
    ['b/bridge/info', 1, true],
    ['b/DSM/state', 1, true],
    ['b/DSM/stats', 0, false],
    ['b/DSM/availability', 1, true],
    ['b/other/state', 1, true],
    ['b/other/stats', 0, false],
    ['b/other/availability', 1, true],
    ['b/bridge/state', 1, true],
  ]);
  expect(sent.at(-1)?.payload).toBe('online');
  expect(JSON.parse(String(sent[1]?.payload))).toMatchObject({ state: 'running', power: 'ON' });
  told();
  publisher.all();
  expect(told()).toHaveLength(8);
});

test('of a domain that was never seen nothing is said but that it is not there', () => {
  snapshot = snapshotOf({ domain: null });
  publisher.all();
  const topicsOfIt = sent.filter(({ topic }) => topic.startsWith('b/DSM/'));
  expect(topicsOfIt.map(({ topic }) => topic)).toEqual(['b/DSM/state', 'b/DSM/availability']);
  expect(topicsOfIt[1]?.payload).toBe('offline');
});

test('each event says what it changed, and no more', () => {
  publisher.all();
  told();
  expect(happen({ type: 'domain', key: 'DSM', domain, at })).toEqual([]);
  expect(happen({ type: 'domain', key: 'DSM', domain: { ...domain, state: 'paused' }, at })).toEqual(['b/DSM/state']);
  expect(happen({ type: 'stats', stats: new Map([['DSM', unknownStats(at)]]) })).toEqual(['b/DSM/stats']);
  expect(happen({ type: 'stats', stats: new Map([['DSM', unknownStats(at)]]) })).toEqual(['b/DSM/stats']);
  const sda = { ...unknownDisk, capacity: 100 };
  const sized = { ...unknownStats(at), disks: { sda } };
  expect(happen({ type: 'stats', stats: new Map([['DSM', sized]]) })).toEqual(['b/DSM/state', 'b/DSM/stats']);
  // A run that nobody has sampled yet: the capacity is unknown again.
  expect(happen({ type: 'stats', stats: new Map([['DSM', unknownStats(at)]]) })).toEqual([
    'b/DSM/state',
    'b/DSM/stats',
  ]);
  expect(happen({ type: 'work', key: 'DSM', work })).toEqual(['b/DSM/state']);
  expect(happen({ type: 'work', key: 'DSM', work: { ...work } })).toEqual([]);
  expect(happen({ type: 'checked', key: 'DSM', check: checkOf('up'), at })).toEqual(['b/DSM/check']);
  expect(happen({ type: 'checks_overdue', keys: ['DSM'] })).toEqual(['b/bridge/info']);
  expect(happen({ type: 'error', key: 'other', error: { code: 'a', message: 'b', at } })).toEqual(['b/other/state']);
  expect(happen({ type: 'domain', key: 'nobody', domain: off, at })).toEqual([]);
  expect(happen({ type: 'domain', key: 'DSM', domain: off, at })).toEqual(['b/DSM/state', 'b/DSM/stats']);
});

test('libvirt goes and comes: availability follows, states and numbers are left alone', () => {
  publisher.all();
  told();
  const down: Event = { type: 'hypervisor_down', reason: 'killed' };
  expect(happen(down)).toEqual(['b/bridge/info', 'b/DSM/availability', 'b/other/availability']);
  expect(happen(down)).toEqual([]);
  const info = { hostname: 'h', libvirt: '9.0.0', hypervisor: 'QEMU 7.2.22' };
  expect(happen({ type: 'hypervisor_up', info })).toEqual([
    'b/bridge/info',
    'b/DSM/availability',
    'b/other/availability',
  ]);
});

test('a domain is gone and comes back', () => {
  publisher.all();
  told();
  expect(happen({ type: 'domain', key: 'DSM', domain: null, at })).toEqual(['b/DSM/state', 'b/DSM/availability']);
  expect(last).toMatchObject({ topic: 'b/DSM/availability', payload: 'offline' });
  expect(happen({ type: 'domain', key: 'DSM', domain, at })).toEqual(['b/DSM/state', 'b/DSM/availability']);
});

test('what the broker did not take is not taken for said', () => {
  publisher.all();
  accepts = false;
  happen({ type: 'domain', key: 'DSM', domain: { ...domain, state: 'paused' }, at });
  accepts = true;
  expect(happen({ type: 'work', key: 'DSM', work })).toContain('b/DSM/state');
  accepts = false;
  publisher.all();
  accepts = true;
  publisher.all();
  expect(told()).toHaveLength(8);
});

test('a verdict is said to each new session, and before there is one nothing', () => {
  publisher.all();
  expect(told()).not.toContain('b/DSM/check');
  expect(happen({ type: 'checked', key: 'DSM', check: checkOf('up'), at })).toEqual(['b/DSM/check']);
  publisher.all();
  expect(told().filter(topic => topic.endsWith('/check'))).toEqual(['b/DSM/check']);
  publisher.again(snapshot, 'DSM');
  expect(told()).toEqual(['b/DSM/state', 'b/DSM/check', 'b/DSM/stats', 'b/DSM/availability']);
});

test('a picture is kept by the broker, and goes with its VM', () => {
  expect(publisher.screen('DSM', Buffer.from('png'))).toBe(true);
  expect(sent.splice(0)).toEqual([{ topic: 'b/DSM/screen', payload: Buffer.from('png'), qos: 1, retain: true }]);
  publisher.retire('DSM');
  expect(sent.map(({ topic, payload }) => [topic, payload])).toContainEqual(['b/DSM/screen', '']);
});

test('the numbers alone, for whoever has just come', () => {
  publisher.stats(snapshot, 'DSM');
  publisher.stats(snapshot, 'nobody');
  expect(told()).toEqual(['b/DSM/stats']);
});
