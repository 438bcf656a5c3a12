import type { LoaderPhase } from '../../model/loader.ts';

/**
 * THE table of a rebuild's phases: what each does, how long it may take, and in what state it leaves the VM when it is
 * ended in the middle, by `cancel` or because the bridge is killed. The run, its journal, the recovery and the plan read
 * it, and docs/rebuild.md is made from it.
 */

export type RunningPhase = Exclude<
  LoaderPhase,
  'idle' | 'done' | 'rolled_back' | 'failed' | 'cancelled' | 'interrupted'
>;

interface PhaseRow {
  /** What people read during the phase. */
  title: string;
  /** The same in a plan; undefined: no plan has it. */
  plan?: string;
  /** Its share of the whole time, relative to the other weights. */
  weight: number;
  /** Milliseconds at most; null: the configuration or the command decides. */
  within: number | null;
  cancelled: string;
  /** How a kill -9 of the bridge leaves it; undefined: the same. */
  killed?: string;
  /** What runs in a VM that is still on: continues the sentence “The VM runs”. */
  runs?: string;
}

const minute = 60_000;
const inBuilder = ' its image builder and not DSM, by all that is known';
const builderRuns = 'the image builder runs, and the menu starts it again; `rollback` puts the old loader back';

export const phases: Readonly<Record<RunningPhase, PhaseRow>> = {
  preflight: {
    ...{ title: 'Checking the requirements', weight: 1, within: 3 * minute },
    cancelled: 'as it was; nothing has been changed',
  },
  shutting_down: {
    plan: 'Shut DSM down',
    ...{ title: 'Shutting DSM down', weight: 6, within: null },
    cancelled: 'the guest has been asked to power off and may still do so; the loader is untouched',
    killed: 'the same; `start` brings DSM back',
    runs: ', and may still power off, for it was asked to',
  },
  backing_up: {
    plan: "Back up the loader's image",
    ...{ title: "Backing up the loader's image", weight: 8, within: 60 * minute },
    cancelled: 'off; the loader is untouched, the unfinished backup is removed',
    killed: 'off; the loader is untouched, the next backup removes the unfinished one; `start` brings DSM back',
  },
  arming_builder: {
    plan: 'Set the boot menu to the image builder',
    ...{ title: 'Setting the boot menu to the image builder', weight: 2, within: 10 * minute },
    cancelled: 'off; the menu is put back as it was',
    killed: 'off; the menu may start the builder; `rollback` puts the old loader back',
  },
  booting_builder: {
    plan: 'Start the VM',
    ...{ title: 'Starting the image builder', weight: 1, within: 3 * minute },
    cancelled: builderRuns,
  },
  connecting: {
    plan: 'Log in to the image builder',
    ...{ title: 'Logging in to the image builder', weight: 4, within: null },
    cancelled: builderRuns,
  },
  arming_dsm: {
    plan: 'Set the boot menu back to DSM',
    ...{ title: 'Setting the boot menu back to DSM', weight: 1, within: 3 * minute },
    cancelled: 'the image builder runs; `rollback` puts the old loader back',
    runs: inBuilder,
  },
  building: {
    plan: 'Build the loader',
    ...{ title: 'Building the loader', weight: 60, within: null },
    cancelled:
      'what runs in the builder is ended, and the builder runs on; the image may be half built, `rollback` puts the old one back',
    killed: 'the same, but what runs in the builder may run on for a while',
    runs: inBuilder,
  },
  verifying: {
    plan: 'Check that the new loader is in place',
    ...{ title: 'Checking that the new loader is in place', weight: 3, within: 10 * minute },
    cancelled: 'the builder may still run, or be off; the image is new, and DSM has not started from it yet',
    runs: inBuilder,
  },
  booting_dsm: {
    plan: 'Start DSM from the new loader',
    ...{ title: 'Starting DSM from the new loader', weight: 1, within: 3 * minute },
    cancelled: 'the new loader is in place, and DSM is being started from it; `rollback` puts the old one back',
  },
  checking: {
    plan: 'Wait for DSM',
    ...{ title: 'Waiting for DSM', weight: 13, within: null },
    cancelled: 'the new loader is in place and DSM boots from it; the bridge does not wait for it any more',
  },
  rolling_back: {
    ...{ title: 'Putting the old loader back', weight: 1, within: null },
    cancelled: 'the image may be half old, half new: `rollback` again makes it whole',
  },
};

export const rebuildPhases = (Object.keys(phases) as RunningPhase[]).filter(phase => phase !== 'rolling_back');

/** Whole percents; `share`: of the phase, from 0 to 1. */
export function percentAt(phase: RunningPhase, share: number): number {
  const within = Math.min(1, Math.max(0, share));
  if (phase === 'rolling_back') return Math.floor(100 * within);
  const sum = (names: readonly RunningPhase[]) => names.reduce((total, name) => total + phases[name].weight, 0);
  const done = sum(rebuildPhases.slice(0, rebuildPhases.indexOf(phase)));
  return Math.floor((100 * (done + within * phases[phase].weight)) / sum(rebuildPhases));
}
