/**
 * THE table of models that loaders can build, and what each requires of its VM. Unknown values are null. Sources: the
 * table "DSM 7.x Loaders and Platforms" (xpenology.com, topic 61634) for threads; the loaders' own `config/*` for
 * disks; RR's `platforms.yml` for device tree and CPU.
 */

export interface Platform {
  /** As DSM calls itself: `DS918+`. */
  model: string;
  /** How its ids begin: `ds918p`. */
  prefix: string;
  /** A device tree gives the disks' places, so SataPortMap and DiskIdxMap have no effect. */
  deviceTree: boolean;
  /** CPU flags that its kernel requires, as in /proc/cpuinfo; `movbe` came with Haswell. */
  cpuFlags: readonly string[] | null;
  maxThreads: number | null;
  maxDisks: number | null;
  /** `7.1.1-42962`, ascending: the builds for which the newest release of TinyCore RedPill has an id and all files. */
  builds: readonly string[];
}

const builds = ['7.0.1-42218', '7.1.0-42661', '7.1.1-42962', '7.2.0-64570'];

const haswell = ['movbe'];
const any: readonly string[] = [];

const apollolake = { deviceTree: false, cpuFlags: haswell, maxDisks: 16 };
const broadwell = { deviceTree: false, cpuFlags: any };
const broadwellnk = { deviceTree: false, cpuFlags: any, maxDisks: 24 };
const bromolow = { deviceTree: false, cpuFlags: any, maxDisks: 15 };
const denverton = { deviceTree: false, cpuFlags: haswell, maxDisks: 24 };
const epyc7002 = { deviceTree: true, cpuFlags: any, maxDisks: 25 };
const geminilake = { deviceTree: true, cpuFlags: haswell, maxDisks: 16 };
const purley = { deviceTree: true, cpuFlags: any, maxDisks: 25 };
const r1000 = { deviceTree: true, cpuFlags: any };
const v1000 = { deviceTree: true, cpuFlags: any };
/** `geminilakenk`, `r1000nk`, `v1000nk`. */
const newest = { deviceTree: true };

export const platforms: readonly Platform[] = [
  row('DS918+', apollolake, { maxThreads: 8, builds }),
  row('DS3622xs+', broadwellnk, { maxThreads: 24, builds }),
  row('DS920+', geminilake, { maxThreads: 8, builds }),
  row('DS1621+', v1000, { maxThreads: 16, builds }),
  row('DS3617xs', broadwell, { maxThreads: 24, maxDisks: 15, builds }),
  row('DVA3221', denverton, { maxThreads: 16, builds }),
  row('DS3615xs', bromolow, { maxThreads: 16, builds: builds.slice(0, 3) }),
  row('DS1019+', apollolake, { builds }),
  row('DS2422+', v1000, { builds }),
  row('DS723+', r1000, { builds: builds.slice(2) }),
  row('DS923+', r1000, { builds: builds.slice(2) }),
  row('DVA1622', geminilake, { builds: builds.slice(1) }),
  row('FS2500', v1000, { builds }),
  row('RS3413xs+', bromolow, { builds: builds.slice(0, 3) }),
  row('RS4021xs+', broadwellnk, { builds }),
  // The script names these models, but lists no id for them, or looks them up under another spelling.
  row('DS1520+', geminilake),
  row('DS1522+', r1000),
  row('DS1621xs+', broadwellnk),
  row('DVA3219', denverton),
  row('FS6400', purley),
  row('RS3618xs', broadwell, { maxDisks: 24 }),
  row('SA6400', epyc7002),
  // Of M-Shell and RR only.
  row('DS425+', newest),
  row('DS725+', newest),
  row('DS925+', newest),
];

/** How ids began before release 0.9.2.9: with the platform, which had one model each. */
export const oldPrefixes: ReadonlyMap<string, string> = new Map([
  ['apollolake', 'ds918p'],
  ['broadwell', 'ds3617xs'],
  ['broadwellnk', 'ds3622xsp'],
  ['bromolow', 'ds3615xs'],
  ['denverton', 'dva3221'],
  ['geminilake', 'ds920p'],
  ['v1000', 'ds1621p'],
]);

/** The model in lower case, with `p` for `+`: the loaders' ids begin with it. */
function row(
  model: string,
  hardware: Pick<Platform, 'deviceTree'> & Partial<Platform>,
  told: Partial<Platform> = {},
): Platform {
  const prefix = model.toLowerCase().replaceAll('+', 'p');
  return { model, prefix, cpuFlags: null, maxThreads: null, maxDisks: null, builds: [], ...hardware, ...told };
}
