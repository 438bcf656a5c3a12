/** What stories of commands, libvirt and the guest are made of; for fast-check. */
import fc from 'fast-check';
import type { Verdict } from '../../src/model/check.ts';
import { type Call, type CommandWord, commandWords } from '../../src/model/commands.ts';
import type { Domain } from '../../src/model/domain.ts';
import type { Policy } from '../../src/model/policy.ts';
import { active, domain, off, offBy, otherUuid } from './samples.ts';

export const timeouts = fc.constantFrom(1, 999, 5_000, 59_999, 60_000, 61_000, 200_000, 300_000);
export const policies: fc.Arbitrary<Policy> = fc.record({
  commands: fc.oneof(
    { weight: 3, arbitrary: fc.constant(commandWords) },
    fc.constant(commandWords.filter(word => word !== 'force_off')),
    fc.subarray([...commandWords]),
  ),
  shutdown: fc.record({
    method: fc.constantFrom('acpi', 'agent', 'auto'),
    timeout: timeouts,
    resendEvery: fc.constantFrom(1_000, 60_000),
    maxPresses: fc.constantFrom(1, 2, 3, 5),
    onTimeout: fc.constantFrom('report', 'force_off'),
  }),
  reboot: fc.record({ method: fc.constantFrom('shutdown', 'guest') }),
});

/** The commands that make a story are more likely than the others. */
export const words = fc.constantFrom<CommandWord>(
  ...commandWords,
  ...(['start', 'shutdown', 'shutdown', 'shutdown', 'reboot', 'force_off', 'cancel'] as const),
);

export const domains = fc.constantFrom<Domain | null>(
  ...[domain, domain, off, off, off, offBy('destroyed'), offBy('crashed'), offBy('saved'), offBy('unknown')],
  ...[active('idle'), active('paused', 'user'), active('paused', 'io_error'), active('paused', 'snapshot')],
  ...[active('shutting_down'), active('crashed', 'panicked'), active('pmsuspended'), active('unknown'), null],
  { ...off, state: 'crashed' },
  { ...domain, uuid: otherUuid },
  { ...off, uuid: otherUuid },
);

export const durations = fc.oneof(
  fc.constantFrom(0, 1, 999, 1_000, 5_000, 9_999, 10_000, 29_999, 30_000, 59_999, 60_000, 60_001, 120_000, 300_000),
  fc.nat(400_000),
  fc.constant(700_000),
);

export const verdicts = fc.constantFrom<Verdict>(
  ...(['up', 'up', 'updating', 'updating', 'recoverable', 'installer', 'loader', 'booting', 'unreachable'] as const),
  ...(['unknown', 'unknown'] as const),
);

/** One kind of thing that happens in a story. */
export const kind = <K extends string, T extends object>(what: K, rest: { [P in keyof T]: fc.Arbitrary<T[P]> }) =>
  fc.record(rest as { [P in keyof T]: fc.Arbitrary<T[P]> }).map(values => ({ what, ...values }));

/** What a call leads to when all goes well. */
export const obeyed: Record<Call, Domain> = {
  ...{ start: domain, wake_up: domain, resume: domain, suspend: active('paused', 'user'), reset: domain },
  ...{ press: off, guest_reboot: domain, cut_power: offBy('destroyed') },
};

/** Which commands a call may be made for. */
export const causes: Record<Call, readonly CommandWord[]> = {
  start: ['start', 'reboot', 'rebuild', 'rollback'],
  wake_up: ['start', 'resume', 'rebuild', 'rollback'],
  resume: ['start', 'resume', 'rebuild', 'rollback'],
  suspend: ['suspend'],
  reset: ['reset'],
  press: ['shutdown', 'reboot', 'rebuild', 'rollback'],
  guest_reboot: ['reboot'],
  cut_power: ['force_off', 'shutdown', 'reboot', 'rebuild', 'rollback'],
};
