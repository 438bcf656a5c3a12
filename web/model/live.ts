import type { GuestKind } from '../../src/model/check.ts';
import type * as documents from '../../src/model/documents.ts';
import type { Notification } from '../../src/model/notice/notification.ts';
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
  hosts: Readonly<Record<string, documents.HostDocument>>;
}

export interface Vm {
  label: string;
  guest: GuestKind;
  host: string | null;
  /** The words that are permitted here. */
  commands: readonly string[];
  /** It has a screen to show. */
  display: boolean;
  state: documents.StateDocument;
  check: documents.CheckDocument;
  stats: Stats;
  boot: documents.BootDocument | null;
  doctor: documents.DoctorDocument | null;
  loader: documents.LoaderDocument | null;
  quiet: documents.StateDocument['quiet'];
}

export interface Live {
  bridge: BridgeStatus | null;
  /** Who looks at the page; null: not known. It comes last: undefined, until all is told. */
  user?: string | null;
  /** By key. */
  vms: Readonly<Record<string, Vm>>;
  /** How many events of each VM came: a new one means that the record has grown. */
  events: Readonly<Record<string, number>>;
}

/** Of a VM it has all parts at first, and then those that have changed. */
export type Message =
  | { now: string }
  | { bridge: BridgeStatus }
  | { user: string | null }
  | { vm: string; event: Notification }
  | ({ vm: string } & Vm);

export const nothing: Live = { bridge: null, vms: {}, events: {} };

/** With one message more. */
export function merged(live: Live, message: Message): Live {
  if (!('vm' in message)) return { ...live, ...message };
  const { vm: key, ...parts } = message;
  if ('event' in parts) return { ...live, events: { ...live.events, [key]: (live.events[key] ?? 0) + 1 } };
  return { ...live, vms: { ...live.vms, [key]: { ...live.vms[key], ...parts } } };
}
