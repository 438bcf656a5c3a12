import { type Outcome, succeeded } from '../../model/codes.ts';
import { readBoot } from '../image/boot-entry.ts';
import { openImage } from '../image/open.ts';
import { restore } from '../image/restore.ts';
import { loaderSource, mustFit } from './bound.ts';
import { failureOf, LoaderFailure } from './failure.ts';
import type { Touched } from './journal.ts';
import { opened, withImage } from './open-image.ts';
import { powerOff } from './power.ts';
import { phase, type Run } from './run.ts';
import { awaitDsm } from './wait-for-dsm.ts';

/** The way back: the VM off, its loader's image what it was before, byte by byte, and DSM up from it. */

const mustBeOff = {
  message: 'The VM must be off before its old loader can be put back',
  advice: 'Power it off yourself and roll back again, or ask with `on_timeout: force_off`.',
};

export async function rollBack(run: Run): Promise<Outcome> {
  await phase(run, 'rolling_back', async signal => {
    const { parts, runLog } = run;
    runLog.step('Powering the VM off');
    await powerOff(run, mustBeOff, signal);
    runLog.progress(0.2);
    runLog.step("Writing the old loader's image back");
    await putBack(run, 'building', signal, share => runLog.progress(0.2 + 0.4 * share));
    runLog.step('Starting DSM from the old loader');
    const outcome = await parts.power.start(signal);
    if (outcome.status !== 'succeeded')
      throw failureOf(outcome, 'The old loader is back, but the VM could not be started');
    runLog.step('Waiting for DSM');
    const say = (words: string) => runLog.say(words);
    const { guest, times } = parts;
    const { check, come } = await awaitDsm(guest, times, say, share => runLog.progress(0.6 + 0.4 * share), signal);
    // It may have been in its installer before, too.
    if (come === 'installer' && check.verdict !== runLog.record.verdict && runLog.record.verdict !== 'loader') {
      throw new LoaderFailure('dsm_lost', `The old loader is back, but DSM is not: ${check.reason}`, check.nextStep);
    }
  });
  return succeeded('done', 'the old loader is back in its place, and DSM has come up from it');
}

/** Whether the copy is one of this domain's image. Nothing is changed: the VM may be on. */
export async function checkBackup(run: Run, signal: AbortSignal): Promise<void> {
  const { settings, power, open } = run.parts;
  await using client = await opened(open, signal);
  await using image = await openImage(settings.image, loaderSource(power), client.libvirt, signal);
  await mustFit(run, image, signal);
}

/**
 * Only what differs is written, and all of it is compared with the checksum of the copy. `meanwhile`: how far the image
 * may be from what it was until it is whole.
 */
export async function putBack(
  run: Run,
  meanwhile: Touched,
  signal: AbortSignal,
  progress: (share: number) => void,
): Promise<void> {
  const { runLog } = run;
  await withImage(run, signal, async (image, how) => {
    const { file } = await mustFit(run, image, how.signal);
    await runLog.remember({ touched: meanwhile });
    const { written } = await restore(image, file, how.signal, (done, total) => progress(done / total));
    const boot = await readBoot(image, how).catch(() => null);
    await runLog.remember({ touched: 'no', boot_entry: boot?.next ?? null });
    runLog.say(`the image is again what ${file} is; ${written} bytes were written`);
  });
}
