/**
 * Every code of a response and what it means: the one table, from which docs/commands.md is made. `rejected` is a
 * promise: nothing was done, and libvirt was not asked.
 */
export const codes = {
  accepted: {
    accepted: 'it is under way; one final word follows',
  },
  progress: {
    dependents: 'VMs that are `after` this one are shut down first, or together with it, as `message` says',
    pressed: 'the guest has been asked to power off, after the first time',
    not_heard: 'nobody hears the power button, as `message` says why; it is pressed all the same, uncounted',
    updating: 'DSM is being installed or updated; its power button is not pressed before that is over',
    press_failed: 'asking again did not work; it goes on waiting',
    no_answer: 'libvirt does not answer the call; it goes on waiting until the time is up',
    closing: "DSM's ports have closed: it is shutting down, and is not asked again",
    rebooted: 'the guest restarted instead of powering off; it goes on',
    off: 'it is off, and will be started after a pause',
    starting: 'the pause after power off is over',
    cutting_power: 'the time is up and its power is being cut, as `on_timeout` says',
    amended: 'another shutdown has changed the deadline',
    start_after_off: 'it will be started when it is off',
    phase: 'a rebuild or rollback has come to its next phase, which `B/V/loader` tells too',
  },
  succeeded: {
    done: 'it happened, and libvirt said so',
    already: 'there was nothing to do',
    forced: 'the guest did not power off in time and its power was cut, as `on_timeout` says',
    awaiting_dsm_install: "the loader is new, and DSM's installer waits for the other DSM that it is for",
  },
  rejected: {
    invalid_payload:
      'neither a word nor the JSON of a command, or its answers cannot go where its MQTT 5 properties say',
    unknown_command: 'no such command',
    unknown_vm: 'no VM with this key here',
    retained:
      'the message has the retain flag: a broker stores it and sends it again, so nobody knows whether it is still meant',
    expired: 'its time had passed when it arrived, or before its turn came',
    duplicate: 'a command with this id was carried out in the last 10 minutes, or the broker delivered it twice',
    busy: 'another command is under way; or this VM had 5,000 commands with an `id` in the last 10 minutes, and no more ids are taken',
    not_allowed: "not among the VM's `commands` in the configuration",
    read_only: '`libvirt.read_only` is set, or libvirt lets this user only read',
    wrong_state: 'not possible as the VM is now',
    libvirt_unavailable: 'libvirt is away',
    not_armed: 'a rebuild or rollback is neither armed nor confirmed',
    preflight: 'a rebuild cannot work; `message` says why. Nothing was changed',
  },
  failed: {
    timed_out: 'it did not happen in time; a guest that does not power off is left running',
    outcome_unknown:
      'the connection to libvirt was lost, it was away when the time was up, or the bridge was stopped: look at `B/V/state`. Never tried again by itself',
    libvirt_error: 'libvirt refused; `message` has its words',
    domain_gone: 'the domain was undefined or replaced meanwhile',
    crashed: 'the guest or QEMU crashed meanwhile',
    io_error: 'the guest is paused: a disk of the host failed or is full',
    power_cut: 'somebody else cut its power meanwhile',
    interfered: 'somebody else paused, suspended, saved or migrated it meanwhile',
    rebuild_failed:
      'the loader was not rebuilt; `message` says why and how the VM is left, `B/V/loader` has the finer code',
    rolled_back: 'the loader was not rebuilt, and the old one is back in its place; DSM runs from it again',
    rollback_failed: 'the old loader could not be put back; `message` says how the VM is left',
  },
  cancelled: {
    cancelled: '`cancel` ended it',
    superseded: 'another command took its place',
  },
} as const;

export type Status = keyof typeof codes;
export type Code<S extends Status = Status> = { [K in S]: keyof (typeof codes)[K] }[S];

export type Outcome = { [S in FinalStatus]: { status: S; code: Code<S>; message: string } }[FinalStatus];
type FinalStatus = 'succeeded' | 'rejected' | 'failed' | 'cancelled';
export type Rejection = { code: Code<'rejected'>; message: string };

const ending =
  <S extends FinalStatus>(status: S) =>
  (code: Code<S>, message: string) =>
    ({ status, code, message }) as Outcome;

export const succeeded = ending('succeeded');
export const failed = ending('failed');
export const cancelled = ending('cancelled');

/** The bridge ends while the command is under way. */
export const stopping = failed('outcome_unknown', 'the bridge is stopping; the VM is left to itself');

export function rejected({ code, message }: Rejection): Outcome {
  return { status: 'rejected', code, message };
}
