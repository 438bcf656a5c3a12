import type { WantedDsm } from './loader.ts';

/** What the configuration says of a VM's loader. */
export interface LoaderSettings {
  /** `auto`: the one that the image is of. */
  readonly kind: 'auto' | 'tcrp' | 'rr';
  readonly model: string;
  /** `ds918p-7.1.1-42962`; with RR also with the number of an update, `ds918p-7.1.1-42962-6`. */
  readonly platform: string;
  readonly upgrade: 'never' | 'full';
  /** A zip of RR's on this machine, from which it is upgraded; null: it fetches its newest. */
  readonly upgradeZip: string | null;
  /** URLs of extensions' indexes, of TinyCore RedPill. */
  readonly extensions: readonly string[];
  /** Names of add-ons, of RR: `acpid`, or `name=parameter`. */
  readonly addons: readonly string[];
  /** Whether serial number and MACs are kept. */
  readonly keepIdentity: boolean;
  readonly sataMap: 'auto' | { readonly SataPortMap: string; readonly DiskIdxMap: string };
  /** As a libvirt storage volume, or at a path of this machine. */
  readonly image:
    | { readonly way: 'volume'; readonly transientPool: boolean }
    | { readonly way: 'path'; readonly path: string };
  readonly ssh: {
    /** Null: found as DSM's address is. */
    readonly host: string | null;
    readonly port: number;
    /** Null: the loader's own. */
    readonly user: string | null;
    /** Null: the loader's own. */
    readonly password: string | null;
    /** OpenSSH or PEM. */
    readonly privateKey: string | null;
    /** A fingerprint `SHA256:…`; null: whatever key the first connection of a boot shows. */
    readonly hostKey: string | null;
  };
  readonly onFailure: 'ask' | 'auto';
  readonly backupDir: string;
  /** The newest that stay. */
  readonly keepBackups: number;
}

/** `ds918p-7.1.1-42962` of a `DS918+`: `7.1.1-42962`. */
export function wantedDsm({ model, platform }: Pick<LoaderSettings, 'model' | 'platform'>): WantedDsm {
  return { model, version: platform.replace(/^[^-]*-/, '').replace(/^([^-]*-\d+)-\d+$/, '$1') };
}

/** `42962` of `7.1.1-42962`; null: it has none. */
export function buildOf(version: string): number | null {
  const [, build] = /-(\d{4,6})$/.exec(version) ?? [];
  return build === undefined ? null : Number(build);
}
