import { succeeded } from '../../model/codes.ts';
import { powerOff } from './builder.ts';
import { LoaderFailure, mustSucceed } from './failure.ts';
import { checkBackup, putBack } from './loader-image.ts';
import { phase, type Run } from './run.ts';
import type { Ending } from './run-log.ts';
import { awaitDsm } from './wait-for-dsm.ts';

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
export async function rollBack(run: Run): Promise<void> {
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
