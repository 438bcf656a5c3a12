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
async function askBuilder({ parts, runLog, account }: Run, signal: AbortSignal): Promise<boolean> {
  const { host_key, touched } = runLog.record;
  if (account.left <= 0 || touched === 'no' || (host_key === null && touched !== 'menu')) return false;
  try {
    const known = { get: () => null, set: () => {} };
    const { ssh } = parts.settings;
    const settings = { ...parts.settings, ssh: { ...ssh, hostKey: host_key ?? ssh.hostKey } };
    const say = (words: string) => runLog.say(words);
    const from = { ...parts, settings, hostKey: known, say };
    await using session = await reachBuilder(from, account, parts.times.again, signal);
    await powerOffBuilder(session, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!isSshError(error) && !(error instanceof LoaderFailure)) throw error;
    return false;
  }
}
