import { setTimeout as delay } from 'node:timers/promises';
import { cancelled, failed, type Outcome, rejected, succeeded } from '../../model/codes.ts';
import type { Domain } from '../../model/domain.ts';
import { powerOff } from './builder.ts';
import { Cancelled, Closing, explain, LoaderFailure, mustSucceed, NotOurs, Refused } from './failure.ts';
import { type LoaderRecord, mayRollBack, type Touched } from './journal.ts';
import { checkBackup, putBack } from './loader-image.ts';
import { phases, type RunningPhase } from './phases.ts';
import { otherDomain, phase, type Run } from './run.ts';
import type { Ending } from './run-log.ts';
import { awaitDsm } from './wait-for-dsm.ts';

/**
 * Ends a run that failed or was cancelled. If the loader is untouched, it starts a VM again that the run had shut down.
 * Otherwise it restores the backup if the configuration says so, or offers that. The ending says how the VM is left.
 */

/** Rejects with `Closing` when the bridge ends. */
export async function settle(run: Run, error: unknown): Promise<Ending> {
  const { runLog, parts } = run;
  if (error instanceof Closing) throw error;
  if (error instanceof Cancelled) {
    if (runLog.record.touched === 'menu' && isOff(run)) await undo(run);
    return endOf(run, explain(error), 'cancelled');
  }
  const failure = explain(error);
  const isOther = failure instanceof NotOurs;
  runLog.say(`${failure.code}: ${failure.message}`);
  if (failure instanceof Refused || (isOther && runLog.record.phase === 'preflight')) {
    const ending = await endOf(run, failure, 'failed', isOther ? 'Nothing was written.' : '');
    return { ...ending, outcome: refusal(failure) };
  }
  if (runLog.record.word === 'rollback') return endOf(run, failure, 'failed');
  if (runLog.record.touched === 'menu' && isOff(run)) {
    await libvirtBack(run);
    await undo(run);
  }
  if (runLog.record.touched === 'no') {
    const again = run.ran && isOff(run) ? await startAgain(run) : '';
    return endOf(run, failure, 'failed', again);
  }
  if (parts.settings.onFailure !== 'auto' || isOther) return endOf(run, failure, 'failed');
  await libvirtBack(run);
  return automatically(run, failure);
}

/** The answer to a command that cannot work; nothing was changed. */
export function refusal({ message, advice }: LoaderFailure): Outcome {
  return rejected({ code: 'preflight', message: [message, advice].filter(Boolean).join(' ') });
}

/** Restores an image of which only the menu was changed, while DSM is off. */
async function undo(run: Run): Promise<void> {
  run.runLog.step('Putting the boot menu back');
  // The run's own signal may be aborted.
  await putBack(run, 'menu', AbortSignal.timeout(undoWithin), () => {}).catch(error => {
    run.runLog.say(`the menu could not be put back: ${explain(error).message}`);
  });
}

const undoWithin = 10 * 60_000;

/** Milliseconds for libvirt to come back: a restart of the daemon must not leave DSM off. */
const patience = 60_000;

/** Waits for libvirt if it is away. Only a new connection proves that it is there: an old one may be dead. */
async function libvirtBack({ parts: { open, power, times }, signal }: Run): Promise<void> {
  const ends = performance.now() + patience;
  while (performance.now() < ends) {
    const client = await open(AbortSignal.any([signal, AbortSignal.timeout(patience)])).catch(() => null);
    await client?.close();
    if (client && (await power.reachable(times.look, signal))) return;
    await delay(Math.min(times.look, 1_000), undefined, { signal });
  }
}

async function startAgain(run: Run): Promise<string> {
  run.runLog.step('Starting DSM again');
  await libvirtBack(run);
  const { status, message } = await run.parts.power.start(run.signal);
  run.signal.throwIfAborted();
  return status === 'succeeded' ? 'DSM was started again.' : `DSM could not be started again: ${message}.`;
}

async function automatically(run: Run, failure: LoaderFailure): Promise<Ending> {
  run.runLog.say('rolling back, as the configuration says');
  try {
    await rollBack(run);
  } catch (error) {
    if (error instanceof Closing || error instanceof Cancelled) throw error;
    const late = explain(error);
    late.message = `${failure.message} And the old loader could not be put back: ${late.message}`;
    return endOf(run, late, 'failed');
  }
  const error = `${failure.message} The old loader is back in its place, and DSM has come up from it.`;
  const { code, advice } = failure;
  const outcome = failed('rolled_back', error);
  return { phase: 'rolled_back', result: 'rolled_back', code, error, next_step: advice, outcome };
}

export async function endOf(run: Run, failure: LoaderFailure, how: 'failed' | 'cancelled', more = ''): Promise<Ending> {
  const { record } = run.runLog;
  const { power } = run.parts;
  // The run's own signal may be aborted.
  const known = await power.reachable(1, new AbortController().signal).catch(() => false);
  const domain = known ? ours(power.vm.domain, record) : null;
  const isCancelled = how === 'cancelled';
  const error = [isCancelled ? '' : failure.message, more, left(domain, record)].filter(Boolean).join(' ');
  const offered = mayRollBack({ ...record, phase: how }) && !(failure instanceof NotOurs);
  const advice = [failure.advice, whatNow(domain, record.touched, offered)].filter(Boolean).join(' ');
  const failedCode = record.word === 'rollback' ? 'rollback_failed' : 'rebuild_failed';
  return {
    ...{ phase: how, result: how, code: isCancelled ? 'cancelled' : failure.code, error, next_step: advice || null },
    outcome: isCancelled ? cancelled('cancelled', error) : failed(failedCode, error),
  };
}

/** The record of a run that a kill ended. `domain`: the VM now; null: not known yet. */
export function interrupted(was: LoaderRecord, domain: Domain | null): LoaderRecord {
  const record: LoaderRecord = { ...was, phase: 'interrupted', result: 'interrupted', code: 'interrupted' };
  const other = otherDomain(domain, was);
  const how = other?.message ?? left(domain, was);
  const error = `The bridge was ended in the phase ${was.phase} of a ${was.word}, and does not resume it. ${how}`;
  return { ...record, error, next_step: other ? other.advice : whatNow(domain, was.touched, mayRollBack(record)) };
}

function left(domain: Domain | null, { phase, touched, boot_entry: entry }: LoaderRecord): string {
  const next = entry === null || touched === 'no' ? '' : `, and its menu starts “${entry}” next`;
  return `${powerOf(domain, phase)}; ${images[touched]}${next}.`;
}

function powerOf(domain: Domain | null, phase: LoaderRecord['phase']): string {
  if (domain === null) return 'What the VM does is not known';
  if (!domain.active) return 'The VM is off';
  return `The VM runs${phases[phase as RunningPhase]?.runs ?? ''}`;
}

const images: Readonly<Record<Touched, string>> = {
  no: 'its loader is untouched',
  menu: 'only the boot menu of its loader was changed',
  building: 'its loader may be half built',
  built: 'its new loader is in place',
};

function whatNow(domain: Domain | null, touched: Touched, offered: boolean): string | null {
  if (offered) return '`rollback` puts the old loader back.';
  return touched === 'no' && domain?.active === false ? '`start` brings DSM back.' : null;
}

/** Null: libvirt has another domain under this name, or none. */
function ours(domain: Domain | null, { uuid }: LoaderRecord): Domain | null {
  return domain?.uuid === uuid ? domain : null;
}

function isOff({ parts: { power }, runLog }: Run): boolean {
  return ours(power.vm.domain, runLog.record)?.active === false;
}

const mustBeOff = {
  message: 'The VM must be off before its old loader can be put back',
  advice: 'Power it off yourself and roll back again, or ask with `on_timeout: force_off`.',
};

export async function rollback(run: Run): Promise<Ending> {
  await phase(run, 'preflight', signal => checkBackup(run, signal));
  await rollBack(run);
  const outcome = succeeded('done', 'the old loader is back in its place, and DSM has come up from it');
  return { phase: 'rolled_back', result: 'rolled_back', code: null, error: null, next_step: null, outcome };
}

/** Powers the VM off, restores its loader's image byte by byte, and starts DSM from it. */
async function rollBack(run: Run): Promise<void> {
  await phase(run, 'rolling_back', async signal => {
    const { parts, runLog } = run;
    runLog.step('Powering the VM off');
    await powerOff(run, mustBeOff, signal);
    runLog.progress(0.2);
    runLog.step("Writing the old loader's image back");
    await putBack(run, 'building', signal, share => runLog.progress(0.2 + 0.4 * share));
    runLog.step('Starting DSM from the old loader');
    mustSucceed(await parts.power.start(signal), 'The old loader is back, but the VM could not be started');
    runLog.step('Waiting for DSM');
    const progress = (share: number) => runLog.progress(0.6 + 0.4 * share);
    const { check, come } = await awaitDsm(parts, runLog.say, progress, signal);
    // It may have been in its installer before the rebuild.
    if (come === 'installer' && check.verdict !== runLog.record.verdict && runLog.record.verdict !== 'loader') {
      throw new LoaderFailure('dsm_lost', `The old loader is back, but DSM is not: ${check.reason}`, check.nextStep);
    }
  });
}
