import type { Rejection } from './codes.ts';
import type { Command, RebootMethod, ShutdownMethod, TimeoutPolicy } from './command.ts';
import { type CommandWord, isPermitted, rowOf } from './commands.ts';
import { type Plan, startTimeout } from './job/job.ts';

/** What the configuration says of one VM's commands. Milliseconds. */
export interface Policy {
  commands: readonly CommandWord[];
  shutdown: {
    method: ShutdownMethod;
    timeout: number;
    resendEvery: number;
    maxPresses: number;
    onTimeout: TimeoutPolicy;
  };
  reboot: { method: RebootMethod };
  /** The guest's address is known, so that its ports can be tried. */
  watchPorts: boolean;
}

/** Why a command is refused whatever the VM does, or null. `now`: milliseconds since 1970. */
export function refusal(command: Command, policy: Policy, readOnly: boolean, now: number): Rejection | null {
  const { word, expiresAt, onTimeout } = command;
  if (expiresAt !== null && now > expiresAt) {
    return { code: 'expired', message: `it was meant to be carried out before ${new Date(expiresAt).toISOString()}` };
  }
  if (readOnly) return { code: 'read_only', message: 'libvirt.read_only is set' };
  if (!isPermitted(word, policy.commands)) {
    const what = rowOf(word)
      .comesWith?.map(each => `'${each}'`)
      .join(' nor ');
    return {
      code: 'not_allowed',
      message: `${what ? `neither ${what} is` : `'${word}' is not`} among this VM's commands in the configuration`,
    };
  }
  if (onTimeout === 'force_off' && !policy.commands.includes('force_off')) {
    const message = "on_timeout 'force_off' needs 'force_off' among this VM's commands in the configuration";
    return { code: 'not_allowed', message };
  }
  return null;
}

/** Milliseconds between off and start. */
export const restartPause = 10_000;

export function planOf({ word, timeout, onTimeout }: Command, { shutdown, watchPorts }: Policy, pause: number): Plan {
  return {
    timeout: timeout ?? shutdown.timeout,
    startTimeout: word === 'start' ? (timeout ?? startTimeout) : startTimeout,
    resendEvery: shutdown.resendEvery,
    maxPresses: shutdown.maxPresses,
    // A reboot never cuts the power because of a policy that was made for power failures.
    onTimeout: onTimeout ?? (word === 'shutdown' ? shutdown.onTimeout : 'report'),
    watchPorts,
    pause,
  };
}
