/** A bridge that is killed in the middle of a rebuild, in every phase: what the next one tells, and what is then possible. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isLine, readRecord } from '../../../src/bridge/history.ts';
import type { Touched } from '../../../src/loader/job/journal.ts';
import type { RunningPhase } from '../../../src/loader/job/phases.ts';
import type { LoaderKind } from '../../../src/loader/kinds/adapter.ts';
import type { LoaderDocument } from '../../../src/model/documents.ts';
import { eventually } from '../../eventually.ts';
import { entries, isTried, kinds, LoaderWorld, type LoaderWorldOptions, sumOf } from './loader-world.ts';

const child = fileURLToPath(new URL('rebuild-child.ts', import.meta.url));

/** A bridge in a process of its own, which takes its time to start. */
async function startChild(world: LoaderWorld) {
  const config = JSON.stringify(world.running.config(world.changes));
  const process_ = spawn(process.execPath, [child, config], { stdio: ['ignore', 'inherit', 'inherit'] });
  const exited = once(process_, 'exit');
  const isOnline = ({ topic, payload }: { topic: string; payload: string }) =>
    topic === 'b/DSM/availability' && payload === 'online';
  await world.seen.seen.take(isOnline, { deadline: 60_000 });
  const kill = async () => {
    process_.kill('SIGKILL');
    await exited;
  };
  return { kill, [Symbol.asyncDispose]: kill };
}

interface Row {
  options?: LoaderWorldOptions;
  /** Has it stay in the phase; called when the phase before that is seen, or at once. */
  hold?: { from?: RunningPhase; call: Parameters<LoaderWorld['running']['daemon']['hang']>[0] };
  /** How far the image is from what it was when the bridge is killed: written down a moment after the phase is told. */
  touched?: Touched;
  /** How the next bridge finds it; null: either way. */
  on: boolean | null;
  says: string;
  rollback: boolean;
}

const rowsOf = (kind: LoaderKind): Readonly<Partial<Record<RunningPhase, Row>>> => ({
  preflight: { hold: { call: 'storageVolLookupByPath' }, on: true, says: 'its loader is untouched', rollback: false },
  shutting_down: { options: { powerButton: 60_000 }, on: true, says: 'may still power off', rollback: false },
  backing_up: {
    options: { powerButton: 2_000 },
    hold: { from: 'shutting_down', call: 'storageVolDownload' },
    ...{ on: false, says: 'its loader is untouched', rollback: false },
  },
  arming_builder: {
    hold: { call: 'storageVolUpload' },
    touched: 'menu',
    ...{ on: false, says: 'only the boot menu of its loader was changed', rollback: true },
  },
  booting_builder: {
    hold: { call: 'domainCreateWithFlags' },
    ...{ on: null, says: `its menu starts “${entries[kind].builder}” next`, rollback: true },
  },
  connecting: { options: { bootTime: 5_000 }, on: true, says: 'only the boot menu of its loader', rollback: true },
  ...(kind === 'tcrp' && {
    arming_dsm: {
      options: { faults: ['hang-mount'] },
      ...{ on: true, says: 'its image builder and not DSM', rollback: true },
    },
  }),
  building: {
    options: { faults: ['silence'] },
    touched: 'building',
    ...{ on: true, says: 'may be half built', rollback: true },
  },
  verifying: { options: { faults: ['hang-poweroff'] }, on: true, says: 'may be half built', rollback: true },
  booting_dsm: {
    hold: { from: 'building', call: 'domainCreateWithFlags' },
    ...{ on: null, says: 'its new loader is in place', rollback: true },
  },
  checking: {
    options: { dsm: (_, build) => (build === 1 ? 'booting' : 'up'), times: { again: 1_000 } },
    ...{ on: true, says: 'its new loader is in place', rollback: true },
  },
});

const rows = kinds.flatMap(kind => {
  const all = Object.entries(rowsOf(kind)) as [RunningPhase, Row][];
  return all.filter(([phase]) => isTried(kind, phase)).map(([phase, row]) => [kind, phase, row] as const);
});

test.concurrent.each(rows)('with %s in %s', async (kind, phase, row) => {
  await using world = await LoaderWorld.prepare({ kind, ...row.options });
  await using bridge = await startChild(world);
  const { daemon } = world.running;
  using stuck = row.hold && !row.hold.from ? daemon.hang(row.hold.call) : null;
  await world.command({ command: 'rebuild', id: 'k', confirm: true });
  if (row.hold?.from) await world.loader(document => document.phase === row.hold?.from);
  using later = row.hold?.from ? daemon.hang(row.hold.call) : null;
  await world.loader(document => document.phase === phase);
  if (row.touched) await eventually(async () => expect(await touched(world)).toBe(row.touched));
  await bridge.kill();
  stuck?.release();
  later?.release();

  const told = await interrupted(world, phase);
  expect(told).toMatchObject({ rollback: row.rollback, under_way: false });
  expect(told.error).toContain(row.says);
  if (row.on !== null) expect(world.machine.domain.active).toBe(row.on);
  expect(told.error).toMatch(world.machine.domain.active ? /The VM runs/ : /The VM (is off|runs)/);
  world.machine.faults = [];
  if (row.rollback) {
    expect(await sumOf(told.backup.file ?? '')).toBe(world.before);
    if (world.machine.domain.active) await world.machine.up();
    expect((await world.ask('rollback')).answer).toMatchObject({ status: 'succeeded', code: 'done' });
    expect(await world.machine.up()).toBe(world.entries.dsm);
  } else if (!world.machine.domain.active) {
    expect((await world.ask('start')).answer).toMatchObject({ status: 'succeeded' });
    expect(await world.machine.up()).toBe(world.entries.dsm);
  }
  expect(await world.sum()).toBe(world.before);

  // Told once, and never resumed.
  await world.running.stop();
  const from = world.seen.seen.all.length;
  await world.begin();
  await world.ask('refresh');
  const since = world.seen.seen.all.slice(from).map(({ payload }) => payload);
  expect(since.filter(payload => payload.includes('"event_type":"interrupted"'))).toEqual([]);
  const { lines } = await readRecord(world.running.folder, 'DSM');
  const line = { what: 'rebuild', result: 'interrupted', by: null, seconds: null };
  expect(lines.filter(each => isLine(each) && 'what' in each && each.what === 'rebuild')).toMatchObject([line]);
});

/** How far the image may be from what it was, as it is written down. */
async function touched({ running }: LoaderWorld): Promise<string> {
  return JSON.parse(await readFile(join(running.folder, 'loader', 'DSM.json'), 'utf8')).touched;
}

/** What the next bridge says. */
async function interrupted(world: LoaderWorld, phase: RunningPhase, command = 'rebuild'): Promise<LoaderDocument> {
  await world.begin();
  const isTold = ({ topic, payload }: { topic: string; payload: string }) =>
    topic === 'b/DSM/event' && JSON.parse(payload).event_type === 'interrupted';
  expect(JSON.parse((await world.seen.seen.take(isTold)).payload)).toMatchObject({ command });
  const told = await world.loader(({ result, error }) => result === 'interrupted' && !error?.includes('not known'));
  expect(told).toMatchObject({ phase: 'interrupted', code: 'interrupted', percent: null });
  expect(told.error).toContain(`in the phase ${phase} of a ${command}, and does not resume it`);
  return told;
}

test('in rolling_back: done again, it is whole', async () => {
  await using world = await LoaderWorld.prepare({ faults: ['backup-failure'] });
  await using bridge = await startChild(world);
  expect((await world.ask('rebuild')).answer).toMatchObject({ status: 'failed' });
  using stuck = world.running.daemon.hang('storageVolUpload');
  await world.command({ command: 'rollback', confirm: true });
  await world.loader(({ phase }) => phase === 'rolling_back');
  await world.loader(({ step }) => step === "Writing the old loader's image back");
  await bridge.kill();
  stuck.release();
  expect(await interrupted(world, 'rolling_back', 'rollback')).toMatchObject({ rollback: true });
  world.machine.faults = [];
  expect((await world.ask('rollback')).answer).toMatchObject({ status: 'succeeded', code: 'done' });
  expect(await world.machine.up()).toBe(world.entries.dsm);
  expect(await world.sum()).toBe(world.before);
});

test('what a copy has left behind goes with the next', async () => {
  await using world = await LoaderWorld.prepare({ powerButton: 2_000 });
  {
    await using bridge = await startChild(world);
    await world.command({ command: 'rebuild', id: 'k', confirm: true });
    await world.loader(({ phase }) => phase === 'shutting_down');
    using stuck = world.running.daemon.hang('storageVolDownload');
    await world.loader(({ phase }) => phase === 'backing_up');
    await bridge.kill();
    stuck.release();
  }
  await world.begin();
  expect((await world.ask('rebuild')).answer).toMatchObject({ status: 'succeeded' });
  const kept = await readdir(join(world.running.folder, 'loader-backups'));
  expect(kept.filter(name => name.includes('partial'))).toEqual([]);
  // When it has succeeded, the new loader is looked at.
  const scratch = join(world.running.folder, 'loader', 'scratch');
  await eventually(async () => expect(await readdir(scratch)).toEqual([]));
});
