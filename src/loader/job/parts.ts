import type { VmPower } from '../../commands/vm-power.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import type { DomainRef } from '../../libvirt/structs.ts';
import type { Check } from '../../model/check.ts';
import type { TimeoutPolicy } from '../../model/command.ts';
import type { Loader } from '../../model/loader.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { VmKey } from '../../model/snapshot.ts';
import type { LoaderAdapter, LoaderKind } from '../kinds/adapter.ts';
import type { World } from '../plan/world.ts';

export interface JobParts {
  key: VmKey;
  settings: LoaderSettings;
  adapters: (kind: LoaderKind) => LoaderAdapter;
  folder: string;
  power: VmPower;
  /** The domain, as libvirt's calls name it; null: libvirt has none. */
  ref: () => DomainRef | null;
  guest: Guest;
  /** Opens a connection of the job's own: its transfers are long. */
  open: (signal: AbortSignal) => Promise<Libvirt>;
  local: boolean;
  show: (loader: Loader) => void;
  /** Takes one line of output, redacted. */
  line: (text: string) => void;
  now: () => Date;
  times: JobTimes;
  onTimeout: TimeoutPolicy;
  /** For tests: replaces what is asked outside. */
  world?: Partial<World> | undefined;
}

export interface Guest {
  address(): string | null;
  identify(address: string, signal: AbortSignal): Promise<GuestKind>;
  check(signal: AbortSignal): Promise<Check | null>;
  /** Milliseconds that DSM may take from power on. */
  bootGrace: number;
}

/** `none`: no web port accepts, as with the image builder; `other`: not known. */
export type GuestKind = 'dsm' | 'installer' | 'loader' | 'other' | 'none';

/** Milliseconds; a test has shorter ones. */
export const usualTimes = {
  /** Between two checks. */
  look: 5_000,
  /** For the builder to power itself off. */
  powerOff: 90_000,
  /** For the builder to boot and answer. */
  connect: 300_000,
  /** For a builder that an earlier run left running. */
  again: 60_000,
  /** How long a verdict that may still change must last. */
  settle: 120_000,
  /** Between two updates of what people see. */
  tell: 1_000,
  /** Of quiet before an unknown question counts as one. */
  question: 10_000,
  /** For which keys are pressed in the boot menu. */
  keys: 40_000,
  /** For which the builder's SSH port must answer before a login; null: as its kind says. */
  steady: null as number | null,
  /** From the start of the bridge to its first look at the image. */
  firstLook: 30_000,
};
export type JobTimes = typeof usualTimes;
