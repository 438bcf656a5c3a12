import type { VmPower } from '../../commands/vm-power.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import type { DomainRef } from '../../libvirt/structs.ts';
import type { Check } from '../../model/check.ts';
import type { TimeoutPolicy } from '../../model/command.ts';
import type { Loader } from '../../model/loader.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { VmKey } from '../../model/snapshot.ts';
import type { LoaderAdapter } from '../adapter.ts';
import type { World } from '../plan/world.ts';

/** What a rebuild gets from the rest of the bridge. */
export interface JobParts {
  key: VmKey;
  settings: LoaderSettings;
  adapter: LoaderAdapter;
  /** For journals and temporary files. */
  folder: string;
  power: VmPower;
  /** The domain, as libvirt's calls name it; null: libvirt has none. */
  ref: () => DomainRef | null;
  guest: Guest;
  /** Opens a connection of the job's own: its transfers are long. */
  open: (signal: AbortSignal) => Promise<Libvirt>;
  /** libvirt runs on this machine. */
  local: boolean;
  /** Called when what people see has changed. */
  show: (loader: Loader) => void;
  /** Takes one line of output, redacted. */
  line: (text: string) => void;
  now: () => Date;
  times: JobTimes;
  /** What happens to a guest that does not power off. */
  onTimeout: TimeoutPolicy;
  /** For tests: replaces what is asked outside. */
  world?: Partial<World> | undefined;
}

/** What answers in the VM. */
export interface Guest {
  /** Its address now; null: not known. */
  address(): string | null;
  /** What kind of guest answers there, without a login. */
  identify(address: string, signal: AbortSignal): Promise<GuestKind>;
  /** Checks DSM. */
  check(signal: AbortSignal): Promise<Check | null>;
  /** Milliseconds that DSM may take from power on. */
  bootGrace: number;
}

/** `none`: no web port accepts, as with the image builder; `other`: not known. */
export type GuestKind = 'dsm' | 'installer' | 'loader' | 'other' | 'none';

/** Milliseconds; a test has shorter ones. */
export interface JobTimes {
  /** Between two checks. */
  look: number;
  /** For the builder to power itself off. */
  powerOff: number;
  /** For the builder to boot and answer. */
  connect: number;
  /** For a builder that an earlier run left running. */
  again: number;
  /** How long a verdict that may still change must last. */
  settle: number;
  /** Between two updates of what people see. */
  tell: number;
  /** Of quiet before an unknown question counts as one. */
  question: number;
  /** For which keys are pressed in the boot menu. */
  keys: number;
}

export const usualTimes: JobTimes = {
  look: 5_000,
  powerOff: 90_000,
  connect: 300_000,
  again: 60_000,
  settle: 120_000,
  tell: 1_000,
  question: 10_000,
  keys: 40_000,
};
