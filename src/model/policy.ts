import type { Verdict } from './check.ts';
import type { Rejection } from './codes.ts';
import type { Command, RebootMethod, ShutdownMethod, TimeoutPolicy } from './command.ts';
import { type Call, type CommandWord, isPermitted, rowOf, type Situation } from './commands.ts';
import type { Domain } from './domain.ts';
import { type Plan, startTimeout } from './job/job.ts';
import type { Snapshot, VmKey } from './snapshot.ts';

/** Whether a command is permitted, what it means for a VM as it is, and how it is carried out: by the table. Pure. */

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
}

/** Why a command is refused in any state of the VM, or null. `now`: milliseconds since 1970. */
export function refusal(command: Command, { commands }: Policy, readOnly: boolean, now: number): Rejection | null {
  const { word, expiresAt, onTimeout } = command;
  if (expiresAt !== null && now > expiresAt) {
    return { code: 'expired', message: `it was meant to be carried out before ${new Date(expiresAt).toISOString()}` };
  }
  if (readOnly) return { code: 'read_only', message: 'read_only is set for the libvirt that has this VM' };
  const here = "among this VM's commands in the configuration";
  if (!isPermitted(word, commands)) {
    const { comesWith } = rowOf(word);
    const what = comesWith ? `neither ${comesWith.map(each => `'${each}'`).join(' nor ')} is` : `'${word}' is not`;
    return { code: 'not_allowed', message: `${what} ${here}` };
  }
  if (onTimeout !== 'force_off' || commands.includes('force_off')) return null;
  return { code: 'not_allowed', message: `on_timeout 'force_off' needs 'force_off' ${here}` };
}

/** Milliseconds between off and start. */
export const restartPause = 10_000;

export function planOf({ word, timeout, onTimeout }: Command, { shutdown }: Policy, pause: number): Plan {
  const { call, timeoutPolicy } = rowOf(word);
  return {
    timeout: timeout ?? shutdown.timeout,
    startTimeout: call === 'start' ? (timeout ?? startTimeout) : startTimeout,
    resendEvery: shutdown.resendEvery,
    maxPresses: shutdown.maxPresses,
    // A reboot never cuts the power by a policy: that policy is meant for power failures.
    onTimeout: onTimeout ?? (timeoutPolicy ? shutdown.onTimeout : 'report'),
    pause,
  };
}

/** The first call of a command that means `call`: the guest may do a reboot itself. */
export function firstCall({ word, method }: Command, { reboot }: Policy, call: Call): Call {
  const { byGuest } = rowOf(word);
  return byGuest && (method ?? reboot.method) === 'guest' ? byGuest : call;
}

export type Decision =
  /** `call`: null if it is carried out by none. */
  { do: 'run'; call: Call | null } | { do: 'nothing'; message: string } | ({ do: 'reject' } & Rejection);

/** `verdict`: the checks' verdict on DSM, if it is not too old. */
export function decide(word: CommandWord, domain: Domain | null, verdict: Verdict = 'unknown'): Decision {
  const { means, whileUpdating, transient, call = null } = rowOf(word);
  if (transient !== undefined && domain?.persistent === false) return refuse(transient);
  const meaning = means?.[situation(domain)] ?? 'do';
  if (typeof meaning === 'object') {
    return 'no' in meaning ? refuse(meaning.no) : { do: 'nothing', message: meaning.already };
  }
  if (meaning !== 'do') return { do: 'run', call: meaning };
  if (whileUpdating === undefined || verdict !== 'updating' || !domain?.active) return { do: 'run', call };
  return refuse(`DSM is being installed or updated: ${whileUpdating}`);
}

export const libvirtAway: Rejection = { code: 'libvirt_unavailable', message: 'libvirt is away' };

/** What a command means for a VM as it is now. `missing`: the sentence for a VM without a domain. */
export function decideFor(
  key: VmKey,
  word: CommandWord,
  { hypervisor, vms }: Snapshot,
  verdict: Verdict,
  missing: (key: VmKey) => string,
): Decision {
  if (!rowOf(word).means) return { do: 'run', call: null };
  if (!hypervisor.up) return { do: 'reject', ...libvirtAway };
  const domain = vms[key]?.domain ?? null;
  const same = Object.values(vms).filter(vm => domain && vm.domain?.uuid === domain.uuid);
  // The VM with the running job keeps the domain, even if another VM resolves to it meanwhile.
  const first = same.find(({ work }) => work) ?? same[0];
  // Two VMs may configure one domain, by its name and by its UUID: it must not have two jobs.
  if (first && first.key !== key) {
    const message = `this domain is configured twice: command it as '${first.key}'`;
    return { do: 'reject', code: 'not_allowed', message };
  }
  const decision = decide(word, domain, verdict);
  return decision.do === 'reject' && !domain ? refuse(missing(key)) : decision;
}

function situation(domain: Domain | null): Situation {
  if (!domain) return 'absent';
  // A crashed domain that is no longer active is simply off.
  return domain.state === 'crashed' && !domain.active ? 'shut_off' : domain.state;
}

function refuse(message: string): Decision {
  return { do: 'reject', code: 'wrong_state', message };
}
