import { failed, type Outcome } from '../../model/codes.ts';
import { idleLoader, isUnderWay, type Loader } from '../../model/loader.ts';
import { type LoaderSettings, wantedDsm } from '../../model/loader-settings.ts';
import type { VmKey } from '../../model/snapshot.ts';
import { listBackups } from '../image/backups.ts';
import { Cancelled, Closing, explain } from './failure.ts';
import { type LoaderRecord, loadRecord, saveRecord, withRecord } from './journal.ts';
import { sweepScratch } from './loader-image.ts';
import { rebuild } from './rebuild.ts';
import { endOf, interrupted, refusal, settle } from './recovery.ts';
import { rollback } from './rollback.ts';
import { type Beginning, beginRun, type Run } from './run.ts';
import type { Ending } from './run-log.ts';

/** A rebuild of a loader or its rollback, as the bridge calls them. */

const acts = { rebuild, rollback } as const;

/** Never rejects: every end is an outcome, and stands in the journal. The next run begins with the record. */
export async function carryOutJob(
  beginning: Beginning,
): Promise<{ outcome: Outcome; record: LoaderRecord | null; loader: Loader }> {
  let run: Run;
  try {
    run = await beginRun(beginning);
  } catch (error) {
    return { outcome: refusal(explain(error)), record: beginning.before, loader: beginning.loader };
  }
  const { runLog } = run;
  const outcome = await carryOut(run, acts[beginning.word]);
  return { outcome, record: runLog.record, loader: runLog.loader };
}

async function carryOut(run: Run, act: (run: Run) => Promise<Ending>): Promise<Outcome> {
  const { runLog } = run;
  const ending = await act(run)
    .catch(error => settle(run, error))
    // Nothing that goes wrong there may leave it without a word.
    .catch(late => {
      if (late instanceof Closing) return null;
      return endOf(run, explain(late), late instanceof Cancelled ? 'cancelled' : 'failed');
    });
  if (ending === null) {
    await runLog.leave();
    return failed('outcome_unknown', 'the bridge is stopping; the VM is left to itself');
  }
  await runLog.end(ending);
  return { ...ending.outcome, message: runLog.clean(ending.outcome.message) };
}

/** What is known of a VM's loader when the bridge begins: from the journal, and from the folder of its backups. */
export async function recallLoader(
  folder: string,
  key: VmKey,
  settings: LoaderSettings,
): Promise<{ record: LoaderRecord | null; loader: Loader }> {
  await sweepScratch(folder).catch(() => {});
  const record = await loadRecord(folder, key);
  const [newest] = await listBackups(settings.backupDir, key).catch(() => []);
  const backup = newest ? { file: newest.file, at: newest.at, size: newest.size } : null;
  const loader = { ...idleLoader(wantedDsm(settings)), backup };
  if (record === null) return { record, loader };
  if (record !== 'damaged') {
    return { record, loader: withRecord(loader, isUnderWay(record) ? interrupted(record, null) : record) };
  }
  const error = `The journal of the last rebuild, ${folder}/${key}.json, is damaged: what became of it is not known.`;
  const nextStep = 'Look at the VM, and remove that file.';
  const result = 'interrupted';
  return { record: null, loader: { ...loader, phase: result, result, code: 'journal', error, nextStep } };
}

/** Never rejects: it only saves that the same is told again. Nothing else may be written of it meanwhile. */
export function keepRecord(folder: string, key: VmKey, record: LoaderRecord): Promise<void> {
  return saveRecord(folder, key, record).catch(() => {});
}
