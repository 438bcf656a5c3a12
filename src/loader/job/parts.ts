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

/** What a rebuild needs of the rest of the bridge, and is handed by it. */
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
  /** A connection of its own: what goes over it takes long, and may be held up. */
  open: (signal: AbortSignal) => Promise<Libvirt>;
  /** libvirt's machine is this one. */
  local: boolean;
  /** What people see has changed. */
  show: (loader: Loader) => void;
  /** One line of output, without serial numbers and MACs. */
  line: (text: string) => void;
  now: () => Date;
  times: JobTimes;
  /** What a guest that does not power off must reckon with. */
  onTimeout: TimeoutPolicy;
  /** For tests: others than the real ones. */
  world?: Partial<World> | undefined;
}

/** What answers in the VM. */
export interface Guest {
  /** Where to look for it now; null: nobody knows. */
  address(): string | null;
  /** What kind of guest answers there; nobody logs in. */
  identify(address: string, signal: AbortSignal): Promise<GuestKind>;
  /** Looks at DSM; resolves to what that has come to. */
  check(signal: AbortSignal): Promise<Check | null>;
  /** Milliseconds that DSM may take from power on. */
  bootGrace: number;
}

/** `none`: no port for pages accepts, as with the image builder; `other`: nobody can tell. */
export type GuestKind = 'dsm' | 'installer' | 'loader' | 'other' | 'none';

/** Milliseconds; a test has shorter ones. */
export interface JobTimes {
  /** Between two looks. */
  look: number;
  /** For the builder to power itself off. */
  powerOff: number;
  /** For the builder to be there. */
  connect: number;
  /** For one that an earlier run has left behind. */
  again: number;
  /** That a verdict which may still change must have stood. */
  settle: number;
  /** Between two words on how far it is. */
  tell: number;
  /** Of quiet after what may be a question that nobody knows. */
  question: number;
  /** Until a key press in the boot menu is tried no more. */
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
