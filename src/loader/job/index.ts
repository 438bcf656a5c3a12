import { type Outcome, rejected } from '../../model/codes.ts';
import type { LoaderWord } from '../../model/commands.ts';
import type { Domain } from '../../model/domain.ts';
import { idleLoader, isUnderWay, type Loader } from '../../model/loader.ts';
import { type LoaderSettings, wantedDsm } from '../../model/loader-settings.ts';
import type { VmKey } from '../../model/snapshot.ts';
import { listBackups } from '../image/backups.ts';
import { otherDomain } from './bound.ts';
import { explain } from './failure.ts';
import { Journal, type LoaderRecord } from './journal.ts';
import { sweepScratch } from './open-image.ts';
import { rebuild } from './rebuild.ts';
import { carryOut, left, whatNow } from './recovery.ts';
import { checkBackup, rollBack } from './rollback.ts';
import { type Beginning, beginRun, phase, type Run } from './run.ts';
import { mayRollBack, shown } from './run-log.ts';

/** The rebuild of a loader and the way back, as the bridge calls them. */

/** Never rejects: every end is an outcome, and stands in the journal. Resolves to the record too, which the next run begins with. */
export async function carryOutJob(
  beginning: Beginning,
): Promise<{ outcome: Outcome; record: LoaderRecord | null; loader: Loader }> {
  const acts = { rebuild, rollback } as const;
  try {
    const run = await beginRun(beginning);
    const outcome = await carryOut(run, acts[beginning.word]);
    return { outcome, record: run.runLog.record, loader: run.runLog.loader };
  } catch (error) {
    const { message, advice } = explain(error);
    const outcome = rejected({ code: 'preflight', message: [message, advice].filter(Boolean).join(' ') });
    return { outcome, record: beginning.before, loader: beginning.loader };
  }
}

async function rollback(run: Run): Promise<Outcome> {
  await phase(run, 'preflight', signal => checkBackup(run, signal));
  const outcome = await rollBack(run);
  await run.runLog.end({ phase: 'rolled_back', result: 'rolled_back', code: null, error: null, nextStep: null });
  return outcome;
}

/** What is known of a VM's loader when the bridge begins: from the journal, and from the folder of its backups. */
export async function recallLoader(
  folder: string,
  key: VmKey,
  settings: LoaderSettings,
): Promise<{ record: LoaderRecord | null; loader: Loader; interrupted: LoaderWord | null }> {
  await sweepScratch(folder).catch(() => {});
  const found = await new Journal(folder, key).load();
  const newest = (await listBackups(settings.backupDir, key).catch(() => []))[0] ?? null;
  const idle = { ...idleLoader(wantedDsm(settings)), backup: newest && shown(newest) };
  if (found === 'damaged') {
    const error = `The journal of the last rebuild, ${folder}/${key}.json, is damaged: what became of it is not known.`;
    const nextStep = 'Look at the VM, and remove that file.';
    return {
      record: null,
      interrupted: null,
      loader: { ...idle, phase: 'interrupted', result: 'interrupted', code: 'journal', error, nextStep },
    };
  }
  if (!found) return { record: null, loader: idle, interrupted: null };
  const interrupted = isUnderWay(found) ? found.word : null;
  return {
    record: found,
    interrupted,
    loader: interrupted ? interruptedLoader(idle, found, null) : recalled(idle, found),
  };
}

/** Never rejects: it only saves that the same is told again. Nothing else may be written of it meanwhile. */
export function keepRecord(folder: string, key: VmKey, record: LoaderRecord): Promise<void> {
  return new Journal(folder, key).write(record).catch(() => {});
}

/** Of a run that a kill has ended, with the state in which the VM is now; null: not yet known. */
export function interruptedLoader(loader: Loader, was: LoaderRecord, domain: Domain | null): Loader {
  const record: LoaderRecord = { ...was, phase: 'interrupted', result: 'interrupted', code: 'interrupted' };
  const other = otherDomain(domain, was);
  const error = `The bridge was ended in the phase ${was.phase} of a ${was.word}, and does not resume it. ${other?.message ?? left(domain, was)}`;
  const nextStep = other ? other.advice : whatNow(domain, record.touched, mayRollBack(record));
  return { ...recalled(loader, record), error, nextStep };
}

function recalled(loader: Loader, record: LoaderRecord): Loader {
  const { phase, result, code, error, backup } = record;
  return {
    ...loader,
    ...{ phase, result, code, error },
    startedAt: record.started_at,
    endedAt: record.ended_at,
    nextStep: record.next_step,
    backup: backup ?? loader.backup,
    bootEntry: record.boot_entry,
    rollback: mayRollBack(record),
  };
}
