/**
 * Faults of the image builder and phases in which a rebuild is ended, by chance: the old loader can always be had back. The
 * fast tests try a few; `REBUILD_RUNS=100 REBUILD_SEED=1` tries so many for each kind of loader.
 */
import { expect, test } from 'vitest';
import { type RunningPhase, rebuildPhases } from '../../../src/loader/job/phases.ts';
import type { LoaderKind } from '../../../src/loader/kinds/adapter.ts';
import type { LoaderDocument } from '../../../src/model/documents.ts';
import type { BoxFault } from '../../fakes/box/faults.ts';
import { impatient } from './loader-tuning.ts';
import { kinds, LoaderWorld } from './loader-world.ts';

const runs = Number(process.env['REBUILD_RUNS'] ?? 2);
const seed = Number(process.env['REBUILD_SEED'] ?? Date.now() % 100_000);
/** Milliseconds for one. */
const patience = 60_000;

const faults: Readonly<Record<LoaderKind, readonly BoxFault[]>> = {
  tcrp: [
    'no-internet',
    'no-space',
    'first-partition-full',
    'late-failure',
    'empty-config',
    'drop',
    'reboot',
    'silence',
  ],
  rr: [
    ...(['no-synology', 'no-internet', 'pat-stalls', 'pat-md5', 'no-space', 'first-partition-full', 'drop'] as const),
    ...(['empty-config', 'ramdisk-not-patched', 'zimage-not-patched', 'stale-success', 'reboot', 'silence'] as const),
  ],
};
const platforms = { tcrp: 'ds918p-7.1.0-42661', rr: 'ds918p-7.2.1-69057' };
const ends = ['cancelled', 'interrupted'] as const;
const phases = rebuildPhases.filter(phase => phase !== 'preflight');

interface Plan {
  fault: BoxFault | null;
  /** Where it is ended, unless the fault has done that before. */
  phase: RunningPhase;
  end: (typeof ends)[number];
}

/** The same for the same seed (xorshift). */
function* plans(kind: LoaderKind): Generator<Plan> {
  let state = seed || 1;
  const pick = <T>(all: readonly T[]): T => {
    for (const by of [13, -17, 5]) state ^= by > 0 ? state << by : state >>> -by;
    return all[(state >>> 0) % all.length] as T;
  };
  for (let run = 0; run < runs; run += 1) {
    yield { fault: pick([null, ...faults[kind]]), phase: pick(phases), end: pick(ends) };
  }
}

test.concurrent.each(kinds)(
  `with %s, seed ${seed}`,
  async kind => {
    await using world = await LoaderWorld.start({
      ...{ kind, loader: { platform: platforms[kind] }, hasty: true },
      ...{ powerButton: 100, vm: { shutdown: impatient }, times: { again: 500, powerOff: 5_000 } },
      dsm: (_, build) => (build === 0 ? 'up' : 'booting'),
    });
    for (const plan of plans(kind)) await oneRun(world, plan);
  },
  patience * runs,
);

async function oneRun(world: LoaderWorld, { fault, phase, end }: Plan): Promise<void> {
  const what = `${fault ?? 'no fault'}, ended in ${phase}: ${end}`;
  world.machine.faults = fault === null ? [] : [fault];
  const before = world.documents.at(-1)?.started_at ?? '';
  const asked = world.ask('rebuild');
  const isNew = ({ started_at }: LoaderDocument) => (started_at ?? '') > before;
  // RR has no phase of its own for DSM's entry.
  const reached = ({ phase: is, under_way }: LoaderDocument) => is === phase || is === 'checking' || !under_way;
  const { under_way } = await world.loader(each => isNew(each) && reached(each));
  if (under_way && end === 'interrupted') {
    // Its answer will not come.
    asked.catch(() => {});
    await world.running.stop();
    await world.begin();
    await world.loader(each => isNew(each) && each.result === 'interrupted');
  } else {
    if (under_way) await world.ask('cancel');
    await asked;
  }
  const last = world.documents.at(-1);
  world.machine.faults = [];
  if (last?.rollback) {
    const { answer } = await world.ask('rollback', { on_timeout: 'force_off' });
    expect(answer, what).toMatchObject({ status: 'succeeded' });
  } else if (!world.machine.domain.active) {
    expect((await world.ask('start')).answer, what).toMatchObject({ status: 'succeeded' });
  }
  expect(await world.machine.up(), what).toBe(world.entries.dsm);
  expect(await world.sum(), what).toBe(world.before);
}
