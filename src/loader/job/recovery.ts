import { setTimeout as delay } from 'node:timers/promises';
import { cancelled, failed, type Outcome } from '../../model/codes.ts';
import type { Domain } from '../../model/domain.ts';
import { NotOurs } from './bound.ts';
import { Cancelled, Closing, explain, type LoaderFailure } from './failure.ts';
import type { LoaderRecord, Touched } from './journal.ts';
import { opened } from './open-image.ts';
import { Refused, refusedOutcome } from './rebuild.ts';
import { putBack, rollBack } from './rollback.ts';
import type { Run } from './run.ts';
import { mayRollBack } from './run-log.ts';

/**
 * What becomes of a run that did not come to its end. A VM that it has switched off is started again where its loader
 * is as it was; where it is not, the copy is put back if the configuration says so, else that is offered. However it
 * ends, people are told how the VM is left.
 */

/** Runs it to its end, whatever that is; never rejects. */
export async function carryOut(run: Run, act: (run: Run) => Promise<Outcome>): Promise<Outcome> {
  try {
    return await act(run);
  } catch (error) {
    return settle(run, error).catch(async (late: unknown) => {
      // Nothing that goes wrong here may leave it without a word.
      const failure = explain(late);
      return end(run, failure, 'failed');
    });
  }
}

async function settle(run: Run, error: unknown): Promise<Outcome> {
  const { runLog } = run;
  if (error instanceof Closing) {
    await runLog.leave();
    return failed('outcome_unknown', 'the bridge is stopping; the VM is left to itself');
  }
  if (error instanceof Cancelled) {
    if (runLog.record.touched === 'menu' && isOff(run)) await undo(run);
    return end(run, explain(error), 'cancelled');
  }
  const failure = explain(error);
  runLog.say(`${failure.code}: ${failure.message}`);
  // Nothing is changed in this phase.
  if (failure instanceof Refused || (failure instanceof NotOurs && runLog.record.phase === 'preflight')) {
    await end(run, failure, 'failed', failure instanceof NotOurs ? 'Nothing was written.' : '');
    return refusedOutcome(failure);
  }
  if (runLog.record.word === 'rollback') return end(run, failure, 'failed');
  if (runLog.record.touched === 'menu' && isOff(run)) {
    await libvirtBack(run);
    await undo(run);
  }
  if (runLog.record.touched === 'no') {
    const again = run.ran && isOff(run) ? await startAgain(run) : '';
    return end(run, failure, 'failed', again);
  }
  if (run.parts.settings.onFailure !== 'auto' || failure instanceof NotOurs) return end(run, failure, 'failed');
  await libvirtBack(run);
  return automatically(run, failure);
}

/** The menu alone was changed, and DSM has not run since: it is put back without asking. */
async function undo(run: Run): Promise<void> {
  run.runLog.step('Putting the boot menu back');
  // A signal of its own: that of the run is raised.
  await putBack(run, 'menu', AbortSignal.timeout(undoWithin), () => {}).catch(error => {
    run.runLog.say(`the menu could not be put back: ${explain(error).message}`);
  });
}

const undoWithin = 10 * 60_000;

/** Milliseconds for libvirt to come back: a DSM is not left off for a restart of the daemon. */
const patience = 60_000;

/** Waits for it if it is away. A new connection proves that it is back: that an old one is dead may not be known yet. */
async function libvirtBack({ parts: { open, power, times }, signal }: Run): Promise<void> {
  const ends = performance.now() + patience;
  while (performance.now() < ends) {
    const there = await opened(open, AbortSignal.any([signal, AbortSignal.timeout(patience)])).then(
      connection => connection[Symbol.asyncDispose]().then(() => true),
      () => false,
    );
    if (there && (await power.reachable(times.look, signal))) return;
    await delay(Math.min(times.look, 1_000), undefined, { signal });
  }
}

async function startAgain(run: Run): Promise<string> {
  run.runLog.step('Starting DSM again');
  await libvirtBack(run);
  const outcome = await run.parts.power.start(run.signal);
  return outcome.status === 'succeeded'
    ? 'DSM was started again.'
    : `DSM could not be started again: ${outcome.message}.`;
}

async function automatically(run: Run, failure: LoaderFailure): Promise<Outcome> {
  run.runLog.say('rolling back, as the configuration says');
  try {
    await rollBack(run);
  } catch (error) {
    if (error instanceof Closing || error instanceof Cancelled) throw error;
    const late = explain(error);
    late.message = `${failure.message} And the old loader could not be put back: ${late.message}`;
    return end(run, late, 'failed');
  }
  const message = `${failure.message} The old loader is back in its place, and DSM has come up from it.`;
  const { code, advice } = failure;
  await run.runLog.end({ phase: 'rolled_back', result: 'rolled_back', code, error: message, nextStep: advice });
  return failed('rolled_back', run.runLog.loader.error ?? message);
}

async function end(run: Run, failure: LoaderFailure, how: 'failed' | 'cancelled', more = ''): Promise<Outcome> {
  const { runLog, parts } = run;
  // The run's own signal may be raised.
  const known = await parts.power.reachable(1, new AbortController().signal).catch(() => false);
  const domain = known ? ours(parts.power.vm.domain, runLog.record) : null;
  const why = how === 'cancelled' ? '' : failure.message;
  const error = [why, more, left(domain, runLog.record)].filter(Boolean).join(' ');
  const offered = mayRollBack({ ...runLog.record, phase: how }) && !(failure instanceof NotOurs);
  const nextStep = [failure.advice, whatNow(domain, runLog.record.touched, offered)].filter(Boolean).join(' ') || null;
  const code = how === 'cancelled' ? 'cancelled' : failure.code;
  await runLog.end({ phase: how, result: how, code, error, nextStep });
  const message = runLog.loader.error ?? error;
  if (how === 'cancelled') return cancelled('cancelled', message);
  return failed(runLog.record.word === 'rollback' ? 'rollback_failed' : 'rebuild_failed', message);
}

/** Another one under the same name says nothing of the one whose loader it is. */
function ours(domain: Domain | null, { uuid }: Pick<LoaderRecord, 'uuid'>): Domain | null {
  return domain?.uuid === uuid ? domain : null;
}

/** How the VM is left, in a sentence; `phase`: in which that was. */
export function left(
  found: Domain | null,
  { phase, touched, boot_entry: entry, uuid }: Pick<LoaderRecord, 'phase' | 'touched' | 'boot_entry' | 'uuid'>,
): string {
  const domain = ours(found, { uuid });
  const power =
    domain === null
      ? 'What the VM does is not known'
      : domain.active
        ? `The VM runs${running[phase] ?? ''}`
        : 'The VM is off';
  const next = entry === null || touched === 'no' ? '' : `, and its menu starts “${entry}” next`;
  return `${power}; ${images[touched]}${next}.`;
}

/** What that means, as far as is known. */
const builderRuns = ' its image builder and not DSM, by all that is known';
const running: Readonly<Partial<Record<LoaderRecord['phase'], string>>> = {
  shutting_down: ', and may still power off, for it was asked to',
  arming_dsm: builderRuns,
  building: builderRuns,
  verifying: builderRuns,
};

const images: Readonly<Record<Touched, string>> = {
  no: 'its loader is untouched',
  menu: 'only the boot menu of its loader was changed',
  building: 'its loader may be half built',
  built: 'its new loader is in place',
};

export function whatNow(domain: Domain | null, touched: Touched, offered: boolean): string | null {
  if (offered) return '`rollback` puts the old loader back.';
  return touched === 'no' && domain?.active === false ? '`start` brings DSM back.' : null;
}

function isOff({ parts: { power }, runLog }: Run): boolean {
  return ours(power.vm.domain, runLog.record)?.active === false;
}
