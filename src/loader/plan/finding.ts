import type { Disk, Nic } from '../../model/domain.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { StorageController } from '../../vm/controllers.ts';
import type { ConfigVerdict, LoaderRelease } from '../adapter.ts';

/** What is looked at before a rebuild, and what is found. */

/** `refuse`: it cannot work, or may do harm; `warn`: it may not work; `tell`: what one should know. */
export type Level = 'refuse' | 'warn' | 'tell';

export interface Finding {
  level: Level;
  /** Stable. */
  code: string;
  message: string;
  /** What to do; null: nothing. */
  advice: string | null;
}

export type Known = 'yes' | 'no' | 'unknown';

/** `no_index`: at its URL there is nothing, or something else. */
export type Recipe = Known | 'no_index';

export interface Extension {
  url: string;
  recipe: Recipe;
}

/** The loader's image. `why`: a sentence. */
export type ImageFacts =
  | {
      found: 'yes';
      /** Bytes. */
      size: number;
      /** Of libvirt's own disk, where they may be two; null: not known. */
      diskSize: number | null;
      /** Titles of its boot menu; null: it has none for this. */
      entries: { builder: string | null; dsm: string | null };
      /** Whose boot menu it is, if another loader's; null: nobody else's. */
      other: string | null;
    }
  | { found: 'no' | 'unknown'; why: string; advice: string | null };

type Configured = 'model' | 'platform' | 'upgrade' | 'sataMap' | 'keepIdentity';

/** Null and `unknown`: nobody could say. */
export interface PreflightFacts extends Pick<LoaderSettings, Configured> {
  extensions: readonly Extension[];
  /** What will build: of the image, or what its upgrade leads to. `why` it is not known: a sentence. */
  release: LoaderRelease | { why: string };
  /** What `upgrade: full` leads to. */
  newest: LoaderRelease;
  /** What it fetches by itself. */
  fetched: readonly Extension[];

  /** False: the VM's domain is gone as soon as it is off. */
  persistent: boolean;
  /** The VM; memory in bytes. */
  memory: number | null;
  vcpus: number | null;
  /** What the guest's CPU can do, in the words of /proc/cpuinfo. */
  cpuFlags: readonly string[] | null;
  disks: readonly Pick<Disk, 'target' | 'role' | 'bus'>[];
  nics: readonly Pick<Nic, 'model'>[];
  /** The loader is on a USB device of the host, and none of `disks`. */
  loaderPassedThrough: boolean;
  controllers: readonly StorageController[];
  /** Of the loader's stick. */
  usbIds: { vid: string; pid: string } | null;

  image: ImageFacts;
  /** The configuration that the image builder will start with; null: there is no image to look into. `why`: a sentence. */
  config: ConfigVerdict | { why: string } | null;
  /** Bytes. `trouble`: why nothing can be written there, a sentence. */
  backup: { needed: number | null; free: number | null; trouble: string | null };
  /** Whether the servers answer that the loader fetches from. */
  sources: Known;
  running: boolean;
  /** Whether what runs in it now obeys the power button. DSM does; its installer and its recovery do not. */
  obeysAcpi: Known;
  onTimeout: 'report' | 'force_off';
  /** The DSM that is installed. */
  installed: { model: string | null; build: number | null } | null;
}

/** A row of what a rebuild is refused for, warned of or told: one finding when it applies, else none. */
type Row = (code: string, applies: boolean, text: { message: string; advice?: string | null }) => readonly Finding[];

export const refuse = rowsOf('refuse');
export const warn = rowsOf('warn');
export const tell = rowsOf('tell');

function rowsOf(level: Level): Row {
  return (code, applies, { message, advice = null }) => (applies ? [{ level, code, message, advice }] : []);
}
