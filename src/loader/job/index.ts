import { rm } from 'node:fs/promises';
import { type Outcome, stopping } from '../../model/codes.ts';
import { idleLoader, isUnderWay, type Loader } from '../../model/loader.ts';
import { type LoaderSettings, wantedDsm } from '../../model/loader-settings.ts';
import type { VmKey } from '../../model/snapshot.ts';
import { listBackups } from '../image/backups.ts';
import { Cancelled, Closing, explain } from './failure.ts';
import { type LoaderRecord, loadRecord, withRecord } from './journal.ts';
import { scratchFolder } from './loader-image.ts';
import { rebuild } from './rebuild.ts';
import { endOf, interrupted, refusal, rollback, settle } from './recovery.ts';
import { type Beginning, beginRun, type Run } from './run.ts';
import type { Ending } from './run-log.ts';

/** What the bridge calls: carries out a rebuild or rollback, and recalls the last one. */

const acts = { rebuild, rollback } as const;

/** Never rejects: each end is an outcome, and the journal has it. The next run begins with this record. */
export async function carryOutJob(beginning: Beginning): Promise<{ outcome: Outcome; record: LoaderRecord | null }> {
  let run: Run;
  try {
    run = await beginRun(beginning);
  } catch (error) {
    return { outcome: refusal(explain(error)), record: beginning.before };
  }
  const outcome = await carryOut(run, acts[beginning.word]);
  return { outcome, record: run.runLog.record };
}

async function carryOut(run: Run, act: (run: Run) => Promise<Ending>): Promise<Outcome> {
  const { runLog } = run;
  const ending = await act(run)
    .catch(error => settle(run, error))
    // An error in the recovery ends the run too. If somebody has ended the run meanwhile, that is its reason.
    .catch(error => {
      const late = run.signal.aborted ? run.signal.reason : error;
      if (late instanceof Closing) return null;
      return endOf(run, explain(late), late instanceof Cancelled ? 'cancelled' : 'failed');
    });
  if (ending === null) {
    await runLog.leave();
    return stopping;
  }
  await runLog.end(ending);
  return { ...ending.outcome, message: runLog.clean(ending.outcome.message) };
}

/** What the journal and the backup folder say about a VM's loader when the bridge starts. */
export async function recallLoader(
  folder: string,
  key: VmKey,
  settings: LoaderSettings,
): Promise<{ record: LoaderRecord | null; loader: Loader }> {
  await rm(scratchFolder(folder), { recursive: true, force: true }).catch(() => {});
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
