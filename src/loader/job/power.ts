import { isSshError } from '../../ssh/errors.ts';
import { powerOffBuilder, reachBuilder } from './builder.ts';
import { LoaderFailure } from './failure.ts';
import type { Run } from './run.ts';

/** The VM off, whatever runs in it. */

/** `what`: what could not be done, and how people can help. Rejects with `LoaderFailure`. */
export async function powerOff(
  run: Run,
  what: { message: string; advice: string | null },
  signal: AbortSignal,
): Promise<void> {
  const { power, times } = run.parts;
  await power.read();
  if (power.vm.domain?.active === false) return;
  if ((await askBuilder(run, signal)) && (await power.goesOff(times.powerOff, signal))) return;
  const { status, code, message } = await power.shutDown(signal);
  if (status !== 'succeeded') throw new LoaderFailure(code, `${what.message}: ${message}.`, what.advice);
}

/**
 * An image builder that an earlier run has left behind may not hear the power button. It is known by its host key; where
 * that run came no further than starting it, it is met as in a rebuild. Nobody logs in to DSM.
 */
async function askBuilder(run: Run, signal: AbortSignal): Promise<boolean> {
  const { parts, runLog, account } = run;
  const { host_key, touched } = runLog.record;
  if (account.left <= 0 || touched === 'no' || (host_key === null && touched !== 'menu')) return false;
  try {
    const { times, settings } = parts;
    await using session = await reachBuilder(run, times.again, host_key ?? settings.ssh.hostKey, signal);
    await powerOffBuilder(session, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!isSshError(error) && !(error instanceof LoaderFailure)) throw error;
    return false;
  }
}
