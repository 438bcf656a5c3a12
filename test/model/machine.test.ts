/** Commands, slots and jobs as a whole: any story, told by chance, and none of the promises is broken. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Command, command } from '../../src/model/command.ts';
import type { CallFailure } from '../../src/model/job/job.ts';
import { type Rules, World } from './machine-world.ts';
import { propertyRuns } from './runs.ts';
import { off } from './samples.ts';
import { domains, durations, kind, obeyed, policies, timeouts, verdicts, words } from './stories.ts';

let world: World;
beforeEach(() => {
  vi.stubGlobal('setTimeout', (run: () => void, delay: number) => world.setTimeout(run, delay));
  vi.stubGlobal('clearTimeout', (timer: Parameters<typeof world.timers.delete>[0]) => world.timers.delete(timer));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const rules: fc.Arbitrary<Rules> = fc.record({
  policy: policies,
  readOnly: fc.constantFrom(...Array.from({ length: 19 }, () => false), true),
  pause: fc.constantFrom(10_000, 10_000, 0),
  reads: fc.constantFrom('works', 'works', 'works', 'fails', 'hangs'),
  takes: fc.boolean(),
  closesAt: fc.constantFrom(null, null, 0, 30_000, 90_000),
  checks: fc.boolean(),
});

const key = fc.constantFrom('DSM', 'DSM', 'DSM', 'DSM', 'other');
const option = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null, freq: 2 });
const given = fc.record({
  what: fc.constant('command' as const),
  key: fc.oneof({ weight: 30, arbitrary: key }, fc.constant('nobody')),
  word: words,
  id: fc.constantFrom(null, null, null, 'a', 'b'),
  by: fc.constantFrom(null, 'ups'),
  timeout: option(timeouts),
  onTimeout: option(fc.constantFrom('report' as const, 'force_off' as const)),
  method: option(fc.constantFrom('acpi' as const, 'agent' as const, 'guest' as const, 'shutdown' as const)),
  enabled: fc.boolean(),
  /** Milliseconds from now. */
  expires: fc.constantFrom(null, null, null, null, -1, 0, 5_000, 100_000),
});

const failures = fc.constantFrom<CallFailure | Error>(
  { kind: 'rejected', code: 'libvirt_unavailable', message: 'away' },
  { kind: 'rejected', code: 'read_only', message: 'denied' },
  { kind: 'failed', code: 'libvirt_error', message: 'no' },
  { kind: 'failed', code: 'outcome_unknown', message: 'lost' },
  { kind: 'unanswered', message: 'hangs' },
  new Error('odd'),
);
const time = kind('time', { duration: durations });
/** libvirt and the guest do what they were asked to. */
const obey = kind('obey', { key });
const refuse = kind('refuse', { key, but: fc.constantFrom(0, 0, 1, 2), failure: failures });
const become = kind('become', { key, domain: domains, told: fc.constantFrom(true, true, false) });
const hypervisor = kind('hypervisor', { up: fc.constantFrom(false, true, true) });
const ports = kind('ports', { open: fc.constantFrom<boolean | Error>(true, true, false, new Error('odd')) });
const examine = kind('examine', { key, verdict: verdicts });
const actions = fc.oneof(
  { weight: 6, arbitrary: given },
  { weight: 6, arbitrary: time },
  { weight: 5, arbitrary: obey },
  { weight: 3, arbitrary: refuse },
  { weight: 2, arbitrary: kind('answer', { key, but: fc.nat(3) }) },
  { weight: 3, arbitrary: become },
  { weight: 2, arbitrary: hypervisor },
  { weight: 1, arbitrary: kind('rebooted', { key }) },
  { weight: 3, arbitrary: examine },
  { weight: 3, arbitrary: ports },
  { weight: 1, arbitrary: kind('simple', { said: fc.oneof(fc.constant('well'), failures) }) },
  {
    weight: 1,
    arbitrary: kind('wall', { by: fc.constantFrom(-1, -3_600_000, -30 * 86_400_000, 1, 7_200_000, 366 * 86_400_000) }),
  },
);
type Action = typeof actions extends fc.Arbitrary<infer T> ? T : never;

const some = fc.array(actions, { maxLength: 3 });
const DSM = 'DSM' as const;
/** Chance alone seldom comes to what needs one thing after the other. */
const scenes = fc.oneof(
  { weight: 12, arbitrary: actions.map(action => [action]) },
  fc
    .tuple(some, some)
    .map(([away, back]): Action[] => [
      ...[{ what: 'hypervisor', up: false } as const, ...away],
      ...[{ what: 'hypervisor', up: true } as const, ...back],
    ]),
  fc
    .tuple(given, some, durations, fc.oneof(refuse, actions))
    .map(([first, then, duration, last]): Action[] => [
      { ...first, key: DSM, word: 'shutdown', id: null, expires: null },
      ...then,
      { what: 'time', duration },
      last,
    ]),
  fc
    .tuple(given, examine, some, durations)
    .map(([first, says, then, duration]): Action[] => [
      { ...says, key: DSM },
      { ...first, key: DSM, word: 'shutdown', onTimeout: 'force_off', id: null, expires: null },
      ...[...then, { ...says, key: DSM }],
      { what: 'time', duration },
    ]),
  fc
    .tuple(some, ports, hypervisor)
    .map(([then, answer, link]): Action[] => [
      { what: 'ports', open: true },
      { what: 'time', duration: 60_000 },
      ...[link, ...then, answer],
    ]),
  fc
    .tuple(given, some)
    .map(([next, then]): Action[] => [
      { what: 'become', key: DSM, domain: off, told: true },
      ...[{ ...next, key: DSM }, ...then],
      { what: 'time', duration: 10_000 },
    ]),
);

function commandOf({
  word,
  id,
  by,
  timeout,
  onTimeout,
  method,
  enabled,
  expires,
}: Action & { what: 'command' }): Command {
  const stops = word === 'shutdown' || word === 'reboot';
  const ofReboot = method === 'guest' || method === 'shutdown';
  return command(word, {
    ...{ id, by, timeout: stops || word === 'start' ? timeout : null, onTimeout: stops ? onTimeout : null },
    method: stops && (word === 'reboot') === ofReboot ? method : null,
    enabled: word === 'autostart' ? enabled : null,
    expiresAt: expires === null ? null : world.wall + world.now + expires,
  });
}

function act(action: Exclude<Action, { what: 'time' }>): void {
  switch (action.what) {
    case 'command':
      world.submit(action.key, commandOf(action));
      break;
    case 'obey': {
      const made = world.latest(action.key);
      made?.settle(null);
      if (made) world.become(action.key, obeyed[made.call], true);
      if (made?.call === 'guest_reboot') world.rebooted(action.key);
      break;
    }
    case 'refuse':
      world.latest(action.key, action.but)?.settle(action.failure);
      break;
    case 'answer':
      world.latest(action.key, action.but)?.settle(null);
      break;
    case 'become':
      world.become(action.key, action.domain, action.told);
      break;
    case 'hypervisor':
      world.hypervisor(action.up);
      break;
    case 'rebooted':
      world.rebooted(action.key);
      break;
    case 'ports':
      for (const settle of world.probes.splice(0)) settle(action.open);
      break;
    case 'simple':
      world.simples.shift()?.(action.said);
      break;
    case 'examine':
      world.examine(action.key, action.verdict);
      break;
    case 'wall':
      world.setWall(action.by);
      break;
  }
}

/** Most of what can go wrong goes wrong while a guest is to power off. */
const openings = fc.oneof(
  fc.constant([]),
  fc
    .tuple(given, fc.constantFrom('shutdown' as const, 'shutdown' as const, 'reboot' as const))
    .map(([first, word]): Action[] => [{ ...first, key: DSM, word, expires: null }]),
);

test('no story breaks a promise', { timeout: 60_000 }, async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      rules,
      openings,
      fc.array(scenes, { maxLength: 12, size: 'max' }),
      fc.boolean(),
      async (around, opening, story, whole) => {
        world = new World(around, seen);
        for (const action of [...opening, ...story.flat()]) {
          if (action.what === 'time') await world.pass(action.duration);
          else act(action);
          await world.settle();
        }
        if (whole) await world.end();
        await world.close();
      },
    ),
    { numRuns: propertyRuns.stories },
  );
  // Of what is worth a story, all was told.
  expect([...seen]).toEqual(expect.arrayContaining(milestones));
});

const milestones = [
  ...['start calls start', 'start calls resume', 'resume calls resume', 'suspend calls suspend', 'reset calls reset'],
  ...['shutdown calls press', 'shutdown calls cut_power', 'force_off calls cut_power', 'reboot calls press'],
  ...['reboot calls guest_reboot', 'reboot calls start', 'amended', 'progress/closing', 'progress/press_failed'],
  ...['shutdown succeeded/forced', 'start cancelled/superseded', 'start rejected/expired'],
  ...['shutdown rejected/duplicate', 'progress/not_heard', 'progress/updating', 'pressed, and it does not count'],
];
