import type { GuestKind } from '../../src/model/check.ts';
import type {
  BootDocument,
  CheckDocument,
  DoctorDocument,
  HostDocument,
  LoaderDocument,
  StateDocument,
} from '../../src/model/documents.ts';
import type { Notification } from '../../src/model/notification.ts';
import type { Stats } from '../../src/model/stats.ts';

/** What `api/live` tells, put together. Pure. */

export interface BridgeStatus {
  version: string;
  instance: string;
  base_topic: string;
  started_at: string;
  /** Why it is away; null: it is there. */
  broker: string | null;
  libvirt: string | null;
  checks: string | null;
  hosts: Readonly<Record<string, HostDocument>>;
}

export interface Vm {
  label: string;
  guest: GuestKind;
  host: string | null;
  /** The words that are permitted here. */
  commands: readonly string[];
  /** It has a screen to show. */
  display: boolean;
  state: StateDocument;
  check: CheckDocument;
  stats: Stats;
  boot: BootDocument | null;
  doctor: DoctorDocument | null;
  loader: LoaderDocument | null;
  quiet: StateDocument['quiet'];
}

export interface Live {
  bridge: BridgeStatus | null;
  /** Who looks at the page; null: not known. */
  user: string | null;
  /** By key; a VM may still lack parts. */
  vms: Readonly<Record<string, Partial<Vm>>>;
  /** How many events of each VM came: a new one means that the record has grown. */
  events: Readonly<Record<string, number>>;
}

type Message =
  | { bridge: BridgeStatus }
  | { user: string | null }
  | { vm: string; event: Notification }
  | ({ vm: string; event?: undefined } & Partial<Vm>);

export const nothing: Live = { bridge: null, user: null, vms: {}, events: {} };

/** With one message more. What is no message changes nothing. */
export function merged(live: Live, message: unknown): Live {
  if (!isMessage(message)) return live;
  if ('bridge' in message || 'user' in message) return { ...live, ...message };
  const { vm: key, event, ...parts } = message;
  if (event) return { ...live, events: { ...live.events, [key]: (live.events[key] ?? 0) + 1 } };
  return { ...live, vms: { ...live.vms, [key]: { ...live.vms[key], ...parts } } };
}

/** Without the VMs that a new connection has not named: they are no longer configured. */
export function only(live: Live, keys: ReadonlySet<string>): Live {
  const kept = Object.entries(live.vms).filter(([key]) => keys.has(key));
  return kept.length === Object.keys(live.vms).length ? live : { ...live, vms: Object.fromEntries(kept) };
}

export function isWhole(vm: Partial<Vm> | undefined): vm is Vm {
  return vm?.label !== undefined && Boolean(vm.commands && vm.state && vm.check && vm.stats);
}

function isMessage(message: unknown): message is Message {
  if (typeof message !== 'object' || message === null) return false;
  const { bridge, user, vm } = message as Record<string, unknown>;
  return (
    (typeof bridge === 'object' && bridge !== null) || user === null || [typeof user, typeof vm].includes('string')
  );
}
