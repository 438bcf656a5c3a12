import type { GuestKind, probesOf } from '../../model/check.ts';
import type { Activity } from '../../model/commands.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import type { Kind } from '../finding.ts';

/** All that a verdict depends on, a few words for each part: few enough to test every combination. Pure. */

export const machines = [
  'running',
  /** libvirt says that it shuts down. */
  'stopping',
  'off',
  /** Off, because QEMU crashed or was killed. */
  'died',
  'paused',
  /** Paused by QEMU, because a disk of the host failed or is full. */
  'io_error',
  /** The guest has suspended itself. */
  'asleep',
  'crashed',
  /** libvirt has no such domain. */
  'absent',
  /** libvirt is away, or refuses to let it be read. */
  'unseen',
] as const;
export type Machine = (typeof machines)[number];

/** Time since power on: within `boot_grace`, within four times that (an update may take so long), or longer. */
export const ages = ['young', 'grown', 'old'] as const;
export type Age = (typeof ages)[number];
export const patienceForUpdates = 4;

/** Whether the guest has been up since power on: if so, it is not booting. */
export const pasts = ['fresh', 'was_up'] as const;

/** What is configured that can be asked of a guest: over the network, else its agent alone, else nothing. */
export const askables = ['network', 'agent', 'nothing'] as const;

type OfMachine = { machine: Machine; age: Age; past: (typeof pasts)[number] };
type KindsOf<G extends GuestKind> = { [P in (typeof probesOf)[G][number]]: Kind<P> };
export type Evidence = OfMachine & KindsOf<'dsm'>;
export type OtherEvidence = OfMachine & KindsOf<'other'> & { askable: (typeof askables)[number] };

/** DSM closes its ports long before libvirt notices the shutdown. */
const stopping: ReadonlySet<Activity> = new Set(['shutting_down', 'rebooting']);

export function machineOf(vm: Pick<VmSnapshot, 'domain' | 'seen' | 'work'> | null, libvirtUp: boolean): Machine {
  if (!vm?.seen || !libvirtUp) return 'unseen';
  const { domain, work } = vm;
  if (!domain) return 'absent';
  const { state, reason, active } = domain;
  if (state === 'running' || state === 'idle') return work && stopping.has(work.activity) ? 'stopping' : 'running';
  if (state === 'shut_off') return reason === 'crashed' || reason === 'killed' ? 'died' : 'off';
  if (state === 'paused') return reason === 'io_error' ? 'io_error' : 'paused';
  if (state === 'crashed') return active ? 'crashed' : 'died';
  return ({ shutting_down: 'stopping', pmsuspended: 'asleep', unknown: 'unseen' } as const)[state];
}

/** Milliseconds since power on; null: unknown, which counts as old. */
export function ageOf(sincePowerOn: number | null, bootGrace: number): Age {
  if (sincePowerOn === null) return 'old';
  if (sincePowerOn < bootGrace) return 'young';
  return sincePowerOn < patienceForUpdates * bootGrace ? 'grown' : 'old';
}

/** Whether there is a guest that could answer. */
export function canAnswer(machine: Machine): machine is 'running' | 'stopping' | 'unseen' {
  return machine === 'running' || machine === 'stopping' || machine === 'unseen';
}
