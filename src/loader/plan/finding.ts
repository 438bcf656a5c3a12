import type { Disk, Nic } from '../../model/domain.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { StorageController } from '../../vm/controllers.ts';
import type { HomeFiles } from '../image/home.ts';

/** `refuse`: it cannot work, or may do harm; `warn`: it may not work; `tell`: worth knowing. */
export type Level = 'refuse' | 'warn' | 'tell';

export interface Finding {
  level: Level;
  code: string;
  message: string;
  advice: string | null;
}

export type Known = 'yes' | 'no' | 'unknown';

/** The loader's image. `why`: a sentence. */
export type ImageFacts =
  | {
      found: 'yes';
      /** Bytes. */
      size: number;
      /** The same of libvirt's own disk, which may be another one; null: not known. */
      diskSize: number | null;
      /** Titles of its boot menu; null: the menu has no such entry. */
      entries: { builder: string | null; dsm: string | null };
      /** Why it cannot be rebuilt, whatever its menu has; null: it is of the loader's kind, or not known. */
      refusal: { message: string; advice: string } | null;
    }
  | { found: 'no' | 'unknown'; why: string; advice: string | null };

/** Why a configuration allows no rebuild; else whether it has a serial number and a MAC, or needs new ones. */
export type ConfigVerdict = { problem: Problem } | { complete: boolean };

export interface Problem {
  code: string;
  message: string;
  advice: string;
}

/** What a rebuild goes by. */
export type LoaderConfig = Pick<
  LoaderSettings,
  'model' | 'platform' | 'upgrade' | 'upgradeZip' | 'extensions' | 'addons' | 'keepIdentity'
>;

/** Null and `unknown`: it could not be found out. */
export interface PreflightFacts extends LoaderConfig, Pick<LoaderSettings, 'sataMap'> {
  /** The loader that is there: `RR`. */
  loader: string;
  /** False: libvirt forgets the VM's domain as soon as it is off. */
  persistent: boolean;
  /** The VM; memory in bytes. */
  memory: number | null;
  vcpus: number | null;
  cpuFlags: readonly string[] | null;
  disks: readonly Pick<Disk, 'target' | 'role' | 'bus'>[];
  nics: readonly Pick<Nic, 'model'>[];
  /** The loader is on a USB device of the host, and is none of `disks`. */
  loaderPassedThrough: boolean;
  controllers: readonly StorageController[];
  usbIds: { vid: string; pid: string } | null;

  image: ImageFacts;
  /** The configuration with which the image builder will start; null: there is no image to read. `why`: a sentence. */
  config: ConfigVerdict | { why: string } | null;
  /** The same as a text; null: it was not read. */
  configText: string | null;
  /** Of the image builder's saved home. `why`: a sentence. */
  home: { files: HomeFiles } | { why: string };
  /** Bytes. `trouble`: why nothing can be written there, a sentence. */
  backup: { needed: number | null; free: number | null; trouble: string | null };
  /** Whether the servers answer from which the loader downloads. */
  sources: Known;
  servers: readonly string[];
  running: boolean;
  /** Whether the running guest obeys the power button. DSM does; its installer and its recovery do not. */
  obeysAcpi: Known;
  onTimeout: 'report' | 'force_off';
  installed: { model: string | null; build: number | null } | null;
}

export const refuse = rowsOf('refuse');
export const warn = rowsOf('warn');
export const tell = rowsOf('tell');

/** A check that may refuse a rebuild, warn of it or tell about it: one finding if it applies, else none. */
function rowsOf(level: Level) {
  return (code: string, applies: boolean, text: { message: string; advice?: string | null }): readonly Finding[] =>
    applies ? [{ level, code, advice: null, ...text }] : [];
}
