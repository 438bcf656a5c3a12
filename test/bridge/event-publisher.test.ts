/** What happened, told once. */
import { expect, test } from 'vitest';
import { EventPublisher } from '../../src/bridge/event-publisher.ts';
import type { VmSnapshot } from '../../src/model/snapshot.ts';
import { topics } from '../../src/model/topics.ts';
import { at, checkOf, vmOf } from '../model/samples.ts';
import { recorder } from '../mqtt/inbox.ts';

function set() {
  const sent: { topic: string; retain: boolean; type: string }[] = [];
  const log = recorder();
  const time = { now: 0 };
  const events = new EventPublisher({
    topics: topics('b'),
    send: ({ topic, payload, retain }) =>
      sent.push({ topic, retain, type: JSON.parse(String(payload)).event_type }) > 0,
    logger: log,
    now: () => time.now,
  });
  events.begin();
  return { sent, log, time, events };
}

test('on its topic, not retained, and in the log; troubles as warnings', () => {
  const { sent, log, events } = set();
  events.publish('DSM', { event_type: 'started', at, reason: 'booted' });
  events.publish('DSM', { event_type: 'paused_on_io_error', at });
  expect(sent).toEqual([
    { topic: 'b/DSM/event', retain: false, type: 'started' },
    { topic: 'b/DSM/event', retain: false, type: 'paused_on_io_error' },
  ]);
  expect(log.entries).toMatchObject([
    { level: 'info', event: 'vm.started', vm: 'DSM', reason: 'booted' },
    { level: 'warn', event: 'vm.paused_on_io_error' },
  ]);
});

test('a problem is told once, and when it is over; what cannot be told changes nothing', () => {
  const { sent, log, events } = set();
  const check = (verdict: 'up' | 'unreachable', problem: boolean | null, key = 'DSM') =>
    events.judge(vmOf({ key, check: { ...checkOf(verdict), problem } }), at);
  check('up', false);
  check('unreachable', true);
  check('unreachable', true);
  check('unreachable', null);
  check('unreachable', true);
  check('unreachable', true, 'other');
  check('unreachable', null);
  check('up', false);
  expect(sent.map(({ topic, type }) => [topic, type])).toEqual([
    ['b/DSM/event', 'problem'],
    ['b/other/event', 'problem'],
    ['b/DSM/event', 'solved'],
  ]);
  expect(log.entries).toMatchObject([
    { level: 'warn', event: 'vm.problem', verdict: 'unreachable', message: 'It is unreachable.' },
    { level: 'warn', vm: 'other' },
    { level: 'info', event: 'vm.solved', vm: 'DSM' },
  ]);
});

test('what is found out before the first session is told when it begins', () => {
  const sent: string[] = [];
  const events = new EventPublisher({
    topics: topics('b'),
    send: ({ payload }) => sent.push(JSON.parse(String(payload)).event_type) > 0,
    logger: recorder(),
  });
  events.publish('DSM', { event_type: 'interrupted', at });
  events.publish('DSM', { event_type: 'shut_down', at });
  expect(sent).toEqual([]);
  events.begin();
  events.begin();
  events.publish('DSM', { event_type: 'started', at });
  expect(sent).toEqual(['interrupted', 'shut_down', 'started']);
});

test('a command has its line in the log already', () => {
  const { sent, log, events } = set();
  events.publish('DSM', { event_type: 'command_succeeded', at, command: 'start', id: null });
  expect(sent).toHaveLength(1);
  expect(log.entries).toEqual([]);
});

test('one restart that libvirt tells three times is one, the next one another, and each VM has its own', () => {
  const { sent, time, events } = set();
  for (const now of [0, 1, 2]) {
    time.now = now;
    events.publish('DSM', { event_type: 'rebooted', at });
  }
  events.publish('other', { event_type: 'rebooted', at });
  time.now = 1_002;
  events.publish('DSM', { event_type: 'rebooted', at });
  expect(sent.map(({ topic }) => topic)).toEqual(['b/DSM/event', 'b/other/event', 'b/DSM/event']);
});

test('in quiet time nothing is told of problems; what is still so when it is over is told then', () => {
  const { sent, events } = set();
  const quiet = { until: at, by: null };
  const judge = (key: string, problem: boolean, more: Partial<VmSnapshot> = {}) =>
    events.judge(vmOf({ key, check: { ...checkOf('up'), problem }, ...more }), at);
  judge('new', true, { quiet });
  judge('new', true);
  judge('gone', true, { quiet });
  judge('gone', false);
  judge('old', true);
  judge('old', false, { quiet });
  judge('old', false);
  expect(sent.map(({ topic, type }) => [topic, type])).toEqual([
    ['b/new/event', 'problem'],
    ['b/old/event', 'problem'],
    ['b/old/event', 'solved'],
  ]);
});
