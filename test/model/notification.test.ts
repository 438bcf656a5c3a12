/** What is worth telling people, and that each thing is told once, as what it is. */
import { describe, expect, test } from 'vitest';
import type { Boot } from '../../src/model/boot.ts';
import type { Check } from '../../src/model/check.ts';
import { cancelled, failed, type Outcome, rejected, succeeded } from '../../src/model/codes.ts';
import type { Domain } from '../../src/model/domain.ts';
import { idleLoader, type Loader } from '../../src/model/loader.ts';
import {
  ended,
  judged,
  type Notification,
  notificationsOf,
  notificationTypes,
  requested,
} from '../../src/model/notice/notification.ts';
import { reduce } from '../../src/model/reduce.ts';
import type { Event, VmSnapshot } from '../../src/model/snapshot.ts';
import { unknownStats } from '../../src/model/stats.ts';
import { active, asked, checkOf, domain, off, offBy, otherUuid, snapshotOf, uuid } from './samples.ts';

const now = '2026-11-22T08:10:00.000Z';

/** What is told when an event comes. */
function told(before: Partial<VmSnapshot>, event: Event): Notification[] {
  const snapshot = snapshotOf(before);
  const after = reduce(snapshot, event);
  const [was, is] = [snapshot.vms['DSM'], after.vms['DSM']];
  if (!was || !is) throw new Error('the VM is gone');
  return notificationsOf(was, is, event);
}
const becomes = (before: Partial<VmSnapshot>, domainNow: Domain | null) =>
  told(before, { type: 'domain', key: 'DSM', domain: domainNow, at: now });
const types = (notifications: Notification[]) => notifications.map(({ event_type }) => event_type);

describe('a VM changes', () => {
  const other = { ...domain, uuid: otherUuid };
  const stop = (event_type: string, reason: string, by: string | null) => ({ event_type, reason, by, seconds: null });
  const gone = stop('shut_down', 'gone', 'host');
  const rows: [was: Domain | null, is: Domain | null, ...notifications: object[]][] = [
    [off, domain, { event_type: 'started', reason: 'booted' }],
    [
      off,
      active('paused', 'starting_up'),
      { event_type: 'started', reason: 'starting_up' },
      { event_type: 'paused', reason: 'starting_up' },
    ],
    [offBy('crashed'), active('running', 'restored'), { event_type: 'started', reason: 'restored' }],
    [domain, off, stop('shut_down', 'shutdown', 'guest')],
    [domain, offBy('destroyed'), stop('power_cut', 'destroyed', 'host')],
    [domain, offBy('crashed'), stop('crashed', 'crashed', 'fault')],
    [domain, offBy('failed'), stop('crashed', 'failed', 'fault')],
    [domain, offBy('daemon'), stop('crashed', 'daemon', 'fault')],
    [domain, offBy('saved'), stop('saved', 'saved', 'host')],
    [domain, offBy('migrated'), stop('migrated', 'migrated', 'host')],
    [domain, offBy('unknown'), stop('shut_down', 'unknown', null)],
    [active('paused', 'user'), offBy('destroyed'), stop('power_cut', 'destroyed', 'host')],
    [domain, active('paused', 'user'), { event_type: 'paused', reason: 'user' }],
    [domain, active('paused', 'io_error'), { event_type: 'paused_on_io_error', reason: 'io_error' }],
    [active('paused', 'user'), active('paused', 'io_error'), { event_type: 'paused_on_io_error', reason: 'io_error' }],
    [active('paused', 'user'), active('running', 'unpaused'), { event_type: 'resumed', reason: 'unpaused' }],
    [active('paused', 'io_error'), active('idle'), { event_type: 'resumed', reason: 'unknown' }],
    [domain, active('pmsuspended'), { event_type: 'suspended' }],
    [active('pmsuspended'), active('running', 'wakeup'), { event_type: 'woken_up' }],
    [domain, active('crashed', 'panicked'), { event_type: 'crashed', reason: 'panicked' }],
    [active('crashed', 'panicked'), offBy('destroyed'), stop('power_cut', 'destroyed', 'host')],
    [null, domain, { event_type: 'defined' }],
    [null, off, { event_type: 'defined' }],
    [off, null, { event_type: 'undefined' }],
    [domain, null, gone, { event_type: 'undefined' }],
    [domain, other, gone],
    [domain, { ...active('paused', 'user'), uuid: otherUuid }, gone],
    // Nothing that anybody would want to be told.
    ...[domain, active('idle'), active('running', 'unpaused'), active('shutting_down', 'user')].map(
      is => [domain, is] as [Domain, Domain],
    ),
    ...[off, offBy('crashed'), { ...off, uuid: otherUuid }, other].map(is => [off, is] as [Domain, Domain]),
    [null, null],
    [active('paused', 'user'), active('paused', 'user')],
    [domain, { ...domain, name: 'NAS', autostart: true }],
  ];
  const words = (one: Domain | null) => (one ? `${one.state}/${one.reason} ${one.name} ${one.uuid[0]}` : 'none');
  const named = rows.map(([was, is, ...notifications]) => ({
    was,
    is,
    notifications,
    from: words(was),
    to: words(is),
  }));

  test.each(named)('$from, then $to', ({ was, is, notifications }) => {
    expect(becomes({ domain: was }, is)).toEqual(notifications.map(notification => ({ ...notification, at: now })));
  });
});

describe('who it was that stopped it', () => {
  const gaveUp = { ...asked, open: false };
  const late = { event_type: 'shut_down', by: 'ups', id: 'ups-1', seconds: 600, late: true };
  test.each<[what: string, before: Partial<VmSnapshot>, is: Domain, told: object]>([
    ['who asked', { asked }, off, { event_type: 'shut_down', by: 'ups', id: 'ups-1', seconds: 600 }],
    ['who asked, after it was given up: its late success', { asked: gaveUp }, off, late],
    ['late, while another command is carried out', { asked: gaveUp, work: work() }, off, late],
    ['without an id', { asked: { ...asked, id: null } }, off, { event_type: 'shut_down', by: 'ups', seconds: 600 }],
    ['not who asked: a crash', { asked }, offBy('crashed'), { event_type: 'crashed', by: 'fault', seconds: null }],
    [
      'who cut its power',
      { asked: { ...asked, cut: true } },
      offBy('destroyed'),
      { event_type: 'power_cut', by: 'ups', id: 'ups-1', seconds: 600 },
    ],
  ])('%s', (_, before, is, expected) => {
    expect(becomes(before, is)[0]).toEqual({ at: now, reason: is.reason, ...expected });
  });
});

describe('the first look at libvirt', () => {
  const unseen = { seen: false, domain: null } as const;
  const ran = { uuid, active: true, boot: null, thisBoot: true };

  test.each<[what: string, before: Partial<VmSnapshot>, is: Domain | null, expected: string[]]>([
    ['nothing was known', {}, domain, []],
    ['nothing was known, and it is off', {}, off, []],
    ['nothing was known, and there is none', {}, null, []],
    ['it ran, and still does', { remembered: ran }, domain, []],
    ['it was off, and runs now', { remembered: { uuid, active: false, boot: null, thisBoot: true } }, domain, []],
    ['it ran, and is off', { remembered: ran }, off, ['shut_down']],
    ['it ran, and its power was cut', { remembered: ran }, offBy('destroyed'), ['power_cut']],
    ['it ran, and is gone', { remembered: ran }, null, ['shut_down']],
    ['it was to be shut down, and runs', { remembered: ran, asked }, domain, ['interrupted']],
    ['it was to be shut down, and is off', { remembered: ran, asked }, off, ['interrupted', 'shut_down']],
    ['it had been given up', { remembered: ran, asked: { ...asked, open: false } }, domain, []],
  ])('%s', (_, before, is, expected) => {
    expect(types(becomes({ ...unseen, ...before }, is))).toEqual(expected);
  });

  test('what was interrupted, and what of it', () => {
    expect(becomes({ ...unseen, remembered: ran, asked }, off)).toEqual([
      {
        ...{ event_type: 'interrupted', at: now, command: 'shutdown', id: 'ups-1', by: 'ups' },
        message: 'shutdown: the bridge was ended in the middle of it, and does not resume it; it is off',
      },
      { event_type: 'shut_down', at: now, reason: 'shutdown', by: 'ups', seconds: null, id: 'ups-1' },
    ]);
  });

  test('a shutdown that had been given up before is late, whoever saw it', () => {
    const [notification] = becomes({ ...unseen, remembered: ran, asked: { ...asked, open: false } }, off);
    expect(notification).toMatchObject({ event_type: 'shut_down', by: 'ups', late: true });
  });
});

test.each<Event>([
  { type: 'stats', stats: new Map([['DSM', unknownStats(now)]]) },
  { type: 'work', key: 'DSM', work: work() },
  { type: 'asked', key: 'DSM', asked },
  { type: 'error', key: 'DSM', error: { code: 'x', message: 'y', at: now } },
  { type: 'hypervisor_down', reason: 'killed' },
])('$type is nothing that happened to it', event => {
  expect(told({}, event)).toEqual([]);
});

describe('commands', () => {
  const commanded = { command: 'shutdown', id: 'ups-1', by: 'ups', at: now };

  test.each<[command: string, outcome: Outcome, type: string]>([
    ['shutdown', succeeded('done', 'it is off'), 'command_succeeded'],
    ['shutdown', succeeded('forced', 'cut'), 'command_succeeded'],
    ['shutdown', rejected({ code: 'busy', message: 'no' }), 'command_rejected'],
    ['shutdown', cancelled('cancelled', 'ended'), 'command_cancelled'],
    ['shutdown', failed('io_error', 'a disk'), 'command_failed'],
    ['shutdown', failed('timed_out', 'it is left running'), 'shutdown_timed_out'],
    // It may be off, and not have started.
    ['reboot', failed('timed_out', 'it was not seen to run'), 'command_failed'],
    ['start', failed('timed_out', 'it was not seen to run'), 'command_failed'],
  ])('%s: %j', (command, outcome, event_type) => {
    const { code, message } = outcome;
    expect(ended({ ...commanded, command }, outcome)).toEqual({ ...commanded, event_type, command, code, message });
  });

  test('of which nothing could be read', () => {
    const outcome = rejected({ code: 'invalid_payload', message: 'not JSON' });
    expect(ended({ command: null, id: null, by: null, at: now }, outcome)).toMatchObject({
      ...{ event_type: 'command_rejected', command: null, id: null, code: 'invalid_payload' },
    });
  });
});

describe('the checks come to another verdict', () => {
  const checked = (before: Check | null, after: Check) =>
    told({ check: before }, { type: 'checked', key: 'DSM', check: after, at: now });

  test('is told with what it was before', () => {
    expect(checked(checkOf('up'), checkOf('unreachable'))).toEqual([
      {
        ...{ event_type: 'verdict_changed', at: now, verdict: 'unreachable', before: 'up' },
        ...{ cause: 'unreachable', message: 'It is unreachable.' },
      },
    ]);
  });

  test('it came up: from any other but degraded, and only to up', () => {
    expect(types(checked(checkOf('booting'), checkOf('up')))).toEqual(['verdict_changed', 'came_up']);
    expect(types(checked(checkOf('degraded'), checkOf('up')))).toEqual(['verdict_changed']);
    expect(types(checked(checkOf('booting'), checkOf('degraded')))).toEqual(['verdict_changed']);
  });

  test.each<[what: string, before: Check | null, after: Check]>([
    ['the first one', null, checkOf('up')],
    ['the same with other words', checkOf('up'), { ...checkOf('up'), cause: 'up_asleep', reason: 'It sleeps.' }],
  ])('%s is no news', (_, before, after) => expect(checked(before, after)).toEqual([]));
});

const loader = idleLoader({ model: 'DS918+', version: '7.1.1-42962' });

describe('the loader comes to another phase', () => {
  const comes = (before: Partial<Loader>, after: Partial<Loader>) =>
    told(
      { loader: { ...loader, ...before } },
      { type: 'loader', key: 'DSM', loader: { ...loader, ...after }, at: now },
    );

  test('is told with why it failed', () => {
    expect(comes({ phase: 'preflight' }, { phase: 'shutting_down' })).toEqual([
      { event_type: 'loader_phase', at: now, phase: 'shutting_down' },
    ]);
    expect(comes({ phase: 'building' }, { phase: 'failed', code: 'no_recipe', error: 'There is none.' })).toEqual([
      { event_type: 'loader_phase', at: now, phase: 'failed', cause: 'no_recipe', message: 'There is none.' },
    ]);
  });

  test.each<[what: string, before: Partial<Loader>, after: Partial<Loader>]>([
    ['how far it is', { phase: 'building', percent: 1 }, { phase: 'building', percent: 2 }],
    ['its arming', {}, { armedUntil: now }],
  ])('%s is no news', (_, before, after) => expect(comes(before, after)).toEqual([]));

  test('what a start of the bridge has found is none', () => {
    const found = { ...loader, phase: 'interrupted' } as const;
    expect(told({ loader: null }, { type: 'loader', key: 'DSM', loader: found, at: now })).toEqual([]);
  });
});

const boot: Boot = {
  ...{ startedAt: '2026-11-22T08:00:00.000Z', endedAt: null, result: null, source: 'log' },
  ...{ phases: { menu: 1, loader: null, kernel: null, init: null, up: null }, lines: ['Kernel panic'], next: [] },
};

describe('a boot', () => {
  const comes = (before: Partial<VmSnapshot>, result: Boot['result'], startedAt = boot.startedAt) =>
    told({ domain, ...before }, { type: 'boot', key: 'DSM', boot: { ...boot, result, startedAt }, at: now });
  const of = (result: Boot['result']) => ({ boot: { ...boot, result } });

  test('that is stuck is told once, with where it stopped', () => {
    const message = 'The boot stopped after: Kernel panic';
    expect(comes({}, 'slow')).toEqual([{ event_type: 'boot_stuck', at: now, message }]);
    expect(types(comes({}, 'problem'))).toEqual(['boot_stuck']);
    expect(types(comes(of('ok'), 'slow'))).toEqual(['boot_stuck']);
    expect(types(comes(of('problem'), 'slow', now))).toEqual(['boot_stuck']);
    expect(comes(of('slow'), 'problem')).toEqual([]);
  });

  test.each([['ok'], ['stopped']] as const)('%s is no news', result => expect(comes(of('slow'), result)).toEqual([]));

  test('what an earlier bridge has stored is none', () => expect(comes({ domain: null }, 'problem')).toEqual([]));
});

test('there is no type that never comes', () => {
  const commanded = { command: 'shutdown', id: null, by: null, at: now };
  const states = [domain, off, null, active('idle'), active('paused', 'user'), active('paused', 'io_error')];
  states.push(active('pmsuspended'), active('crashed', 'panicked'), ...['destroyed', 'saved', 'migrated'].map(offBy));
  const outcomes = [succeeded('done', ''), rejected({ code: 'busy', message: '' }), cancelled('cancelled', '')];
  const powers = ['start', 'shutdown', 'reboot', 'suspend', 'resume', 'reset', 'force_off'] as const;
  const words = [...powers, 'rebuild', 'rollback'] as const;
  const all = [
    ...states.flatMap(was => states.flatMap(is => becomes({ domain: was }, is))),
    ...becomes(
      { domain: null, seen: false, remembered: { uuid, active: true, boot: null, thisBoot: true }, asked },
      domain,
    ),
    ...told({}, { type: 'rebooted', key: 'DSM', at: now }),
    ...told({ check: checkOf('up') }, { type: 'checked', key: 'DSM', check: checkOf('unreachable'), at: now }),
    ...told({ check: checkOf('booting') }, { type: 'checked', key: 'DSM', check: checkOf('up'), at: now }),
    ...told({ loader }, { type: 'loader', key: 'DSM', loader: { ...loader, phase: 'building' }, at: now }),
    ...told({ domain }, { type: 'boot', key: 'DSM', boot: { ...boot, result: 'slow' }, at: now }),
    ...[true, false].map(problem => judged({ ...checkOf('up'), problem }, now)),
    ...words.map(word => requested(word, commanded)),
    ...[...outcomes, failed('crashed', ''), failed('timed_out', '')].map(outcome => ended(commanded, outcome)),
  ];
  expect([...new Set(types(all))].sort()).toEqual([...notificationTypes].sort());
});

function work() {
  return {
    ...({ activity: 'none', phase: 'calling', since: now, deadline: now } as const),
    ...{ attempt: null, startAfterOff: false },
  };
}
