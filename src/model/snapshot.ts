import type { Domain } from './domain.ts';
import type { Stats } from './stats.ts';

/** All the bridge knows. Replaced by `reduce`, never changed in place. */
export interface Snapshot {
  hypervisor: Hypervisor;
  vms: Readonly<Record<VmKey, VmSnapshot>>;
}

/** The topic segment of one VM (`DSM`): letters, digits, `_` and `-` only. */
export type VmKey = string;

export interface Hypervisor {
  up: boolean;
  /** Why it is down, one sentence; null while it is up. */
  reason: string | null;
  info: HypervisorInfo | null;
}

export interface HypervisorInfo {
  hostname: string;
  /** `9.0.0` */
  libvirt: string;
  /** `QEMU 7.2.22` */
  hypervisor: string;
}

export const activities = ['none', 'starting', 'shutting_down', 'rebooting', 'rebuilding', 'rolling_back'] as const;
export type Activity = (typeof activities)[number];

export interface VmSnapshot {
  key: VmKey;
  /** The device's name in Home Assistant. */
  label: string;
  /** Null when libvirt, being up, has no such domain; kept as last seen while libvirt is down. */
  domain: Domain | null;
  /** What the bridge is carrying out. */
  activity: Activity;
  activeSince: string | null;
  /** When the activity gives up, ISO 8601. */
  deadline: string | null;
  /** When the domain was seen to start, ISO 8601; null if it ran before the bridge did. */
  startedAt: string | null;
  lastStop: LastStop | null;
  lastError: LastError | null;
  stats: Stats | null;
}

export interface LastStop {
  /**
   * `bridge`: by a command given here; `guest`: DSM shut itself down; `host`: somebody at libvirt; `fault`: it crashed
   * or failed; null: nobody saw it.
   */
  by: 'bridge' | 'guest' | 'host' | 'fault' | null;
  /** libvirt's word: `shutdown`, `destroyed`, `crashed`, … */
  reason: string;
  at: string;
  /** From the first request to off; null when nobody asked here. */
  seconds: number | null;
}

export interface LastError {
  code: string;
  message: string;
  at: string;
}

export function emptyVm(key: VmKey, label: string): VmSnapshot {
  return {
    key,
    label,
    domain: null,
    activity: 'none',
    activeSince: null,
    deadline: null,
    startedAt: null,
    lastStop: null,
    lastError: null,
    stats: null,
  };
}
