/** The rebuild of a VM's loader as people see it. */

/** In the order in which a rebuild goes through them. The first one comes before any rebuild; the last ones end it. */
export const loaderPhases = [
  'idle',
  'preflight',
  'shutting_down',
  'backing_up',
  'arming_builder',
  'booting_builder',
  'connecting',
  'arming_dsm',
  'building',
  'verifying',
  'booting_dsm',
  'checking',
  'rolling_back',
  'done',
  'rolled_back',
  'failed',
  'cancelled',
  'interrupted',
] as const;
export type LoaderPhase = (typeof loaderPhases)[number];

/** `awaiting_dsm_install`: the loader is new, and DSM's installer is next; `interrupted`: the bridge ended in it. */
export const loaderResults = [
  'succeeded',
  'awaiting_dsm_install',
  'failed',
  'cancelled',
  'interrupted',
  'rolled_back',
] as const;
type LoaderResult = (typeof loaderResults)[number];

/** Times are ISO 8601. */
export interface Loader {
  phase: LoaderPhase;
  /** Whole percents of the whole run; null: nothing is under way. */
  percent: number | null;
  /** What is being done within the phase, in words. */
  step: string | null;
  startedAt: string | null;
  endedAt: string | null;
  /** Seconds from its beginning to its end, or to this document. */
  elapsed: number | null;
  result: LoaderResult | null;
  /** Why it did not succeed, stable: `no_recipe`. */
  code: string | null;
  /** The same in a sentence, with the state in which it left the VM. */
  error: string | null;
  nextStep: string | null;
  backup: LoaderBackup | null;
  /** The menu's entry that starts next, as it was last read or set. */
  bootEntry: string | null;
  /** There is something to roll back to. */
  rollback: boolean;
  /** Until when `rebuild` and `rollback` need no confirmation; null: they do. */
  armedUntil: string | null;
  /** The last lines of output, without serial numbers and MACs. */
  log: readonly string[];
  wanted: WantedDsm;
  /** The loader in the image, when it was last looked at; null: it was not read yet. */
  found: FoundLoader | null;
}

/** Who had it done, and how it ended. `seconds`: null: its end was not seen. */
export interface LoaderEnd extends Pick<Loader, 'result' | 'code'> {
  by: string | null;
  seconds: number | null;
}

export interface FoundLoader {
  /** `RR` */
  name: string;
  /** `26.7.4` */
  version: string | null;
  model: string | null;
  /** The DSM that it was built for: `7.2.2-72806`, `7.2`. */
  dsm: string | null;
  /** The newest DSM that it lists for the model; null: not known. */
  newest: string | null;
  /** Whether nothing waits to be built; null: not known. */
  built: boolean | null;
  /** Whether the bridge can rebuild it. */
  rebuilt: boolean;
}

export interface LoaderBackup {
  file: string;
  at: string;
  /** Bytes. */
  size: number;
}

export interface WantedDsm {
  /** `DS918+` */
  model: string;
  /** `7.1.1-42962` */
  version: string;
}

export function idleLoader(wanted: WantedDsm): Loader {
  return {
    phase: 'idle',
    percent: null,
    step: null,
    startedAt: null,
    endedAt: null,
    elapsed: null,
    result: null,
    code: null,
    error: null,
    nextStep: null,
    backup: null,
    bootEntry: null,
    rollback: false,
    armedUntil: null,
    log: [],
    wanted,
    found: null,
  };
}

export function isUnderWay({ phase }: Pick<Loader, 'phase'>): boolean {
  return !ended.has(phase);
}

const ended: ReadonlySet<LoaderPhase> = new Set(['idle', 'done', 'rolled_back', 'failed', 'cancelled', 'interrupted']);
