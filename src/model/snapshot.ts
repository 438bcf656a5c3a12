import type { Boot } from './boot.ts';
import type { Check, GuestKind, Wish } from './check.ts';
import type { Activity, LoaderWord } from './commands.ts';
import type { Finding } from './doctor.ts';
import type { Domain } from './domain.ts';
import { type History, noHistory } from './history/history.ts';
import { noUptime, type Uptime } from './history/uptime.ts';
import type { HostStats } from './host.ts';
import type { Loader, LoaderEnd } from './loader.ts';
import type { Quiet } from './notice/quiet.ts';
import type { Stats } from './stats.ts';

/** All that the bridge knows. `reduce` replaces it, and nothing changes it in place. */
export interface Snapshot {
  hypervisor: Hypervisor;
  /** Null: not read yet, or the host is the only one. */
  host: HostStats | null;
  vms: Readonly<Record<VmKey, VmSnapshot>>;
  /** VMs whose check did not run when it should have. */
  overdueChecks: readonly VmKey[];
}

/** The topic segment of one VM (`DSM`): letters, digits, `_` and `-` only. */
export type VmKey = string;

interface Hypervisor {
  /** The host's name in the configuration; null: it is the only one. */
  name: string | null;
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

/** `pausing`: between off and start. `calling`: libvirt has the call. */
export type Phase = 'waiting_for_dependents' | 'waiting_for_guest' | 'cutting_power' | 'pausing' | 'calling';

/** What the bridge is carrying out. Times are ISO 8601. */
export interface Work {
  activity: Activity;
  /** Null: a step of a rebuild, and not a command. */
  phase: Phase | null;
  since: string;
  deadline: string;
  /** How often the guest has been asked to power off; null in a job that does not ask. */
  attempt: number | null;
  /** A start was given meanwhile, and follows. */
  startAfterOff: boolean;
}

export interface VmSnapshot {
  key: VmKey;
  /** The device's name in Home Assistant. */
  label: string;
  guest: GuestKind;
  /** Null when libvirt is up and has no such domain; while libvirt is down, as last read. */
  domain: Domain | null;
  /** libvirt has been read since the bridge began. */
  seen: boolean;
  /** What the last bridge stored at its end; null as soon as libvirt has been read. */
  remembered: Remembered | null;
  work: Work | null;
  /** Who has asked it to stop; it may be the cause when it does. */
  asked: Asked | null;
  /** When the domain was seen to start, ISO 8601; null if it ran before the bridge did. */
  startedAt: string | null;
  lastStop: LastStop | null;
  history: History;
  uptime: Uptime;
  /** Since when it is off because its guest powered itself off, ISO 8601; null: it is not, or that was not seen. */
  selfOffAt: string | null;
  lastError: LastError | null;
  stats: Stats | null;
  /** What a command, or whoever started it, last told it to be; null: unknown. */
  wish: Wish | null;
  check: Check | null;
  /** Null: problems and alarms are told. */
  quiet: Quiet | null;
  /** The last boot that people were told of; null: none. */
  boot: Boot | null;
  /** What is certain harm in its definition; null: not looked at yet. */
  harm: readonly Finding[] | null;
  /** Null: none is configured. */
  loader: Loader | null;
}

interface Remembered {
  uuid: string;
  active: boolean;
  /** The host's boot in which this was so; null: not known. */
  boot: string | null;
  /** The host has not booted since, as far as is known. */
  thisBoot: boolean;
}

export interface Asked {
  /** The command's word. */
  word: string;
  id: string | null;
  by: string;
  at: string;
  /** A stop after this is no longer put down to it. */
  until: string;
  /** The guest was not only asked: its power is cut. */
  cut: boolean;
  /** The bridge is still at it. */
  open: boolean;
}

export interface LastStop {
  /**
   * `bridge`, or a command's `by`; `guest`: DSM shut itself down; `host`: somebody using libvirt; `fault`: it crashed
   * or failed; null: unknown.
   */
  by: string | null;
  /** libvirt's word: `shutdown`, `destroyed`, `crashed`, … */
  reason: string;
  /** When it was seen to be off. */
  at: string;
  /** From the first request to off; null without a request here, or if the stop was not seen. */
  seconds: number | null;
}

export interface LastError {
  code: string;
  message: string;
  at: string;
}

export function emptyVm(key: VmKey, label: string, guest: GuestKind = 'dsm'): VmSnapshot {
  return {
    key,
    label,
    guest,
    domain: null,
    seen: false,
    remembered: null,
    work: null,
    asked: null,
    startedAt: null,
    lastStop: null,
    history: noHistory,
    uptime: noUptime,
    selfOffAt: null,
    lastError: null,
    stats: null,
    wish: null,
    check: null,
    quiet: null,
    boot: null,
    harm: null,
    loader: null,
  };
}

/** One thing that happened. Parts report events; `reduce` gives them their meaning. Times are ISO 8601, UTC. */
export type Event =
  | { type: 'hypervisor_up'; info: HypervisorInfo }
  | { type: 'hypervisor_down'; reason: string }
  /** What libvirt says of a domain now; null when it has no such domain. */
  | { type: 'domain'; key: VmKey; domain: Domain | null; at: string }
  /** It was on another host, with all that is known of it; what libvirt says of it here comes next. `path`: for people. */
  | { type: 'moved'; key: VmKey; vm: VmSnapshot; path: string; at: string }
  | { type: 'host'; host: HostStats }
  /** One sample of all VMs that were asked for, or some of them. */
  | { type: 'stats'; stats: ReadonlyMap<VmKey, Stats> }
  /** The guest restarted itself, or was reset. */
  | { type: 'rebooted'; key: VmKey; at: string }
  /** What the bridge is carrying out; null: nothing. */
  | { type: 'work'; key: VmKey; work: Work | null }
  /** Who asked it to stop; null: nobody whose request could still cause a stop. */
  | { type: 'asked'; key: VmKey; asked: Asked | null }
  | { type: 'error'; key: VmKey; error: LastError }
  /** A command has set what the VM is meant to be. */
  | { type: 'wished'; key: VmKey; wish: Wish }
  /** Its definition, and what it leads to, were looked at. */
  | { type: 'examined'; key: VmKey; harm: readonly Finding[] }
  /** A boot went wrong, or well; the bridge knows of it again. */
  | { type: 'boot'; key: VmKey; boot: Boot; at: string }
  | { type: 'checked'; key: VmKey; check: Check; at: string }
  /** The current or the last operation on its loader. */
  | { type: 'loader'; key: VmKey; loader: Loader; at: string }
  /** A rebuild or rollback is over, or was found interrupted. */
  | ({ type: 'loader_ended'; key: VmKey; word: LoaderWord; at: string } & LoaderEnd)
  /** Its quiet time has begun, has another end, or is over. `by`: who did that; null: its time is up. */
  | { type: 'quiet'; key: VmKey; quiet: Quiet | null; by: string | null; at: string }
  | { type: 'checks_overdue'; keys: readonly VmKey[] };
