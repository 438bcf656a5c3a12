import { join } from 'node:path';
import type { ResponseDocument } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import { lockFolder } from '../util/lock.ts';
import { askControl } from './control.ts';
import { direct } from './direct.ts';
import { exitCode, exitCodeOf, isFinal } from './outcome.ts';
import { Progress, type ProgressOptions } from './progress.ts';
import { type CommandOptions, commandPayload, findVm } from './request.ts';

export interface ShutdownOptions extends ProgressOptions {
  config: Config;
  vm: string;
  options: CommandOptions;
  signal: AbortSignal;
  /** Milliseconds until libvirt has to be there. */
  patience?: number;
}

/** Milliseconds; a bridge that runs answers at once. */
const bridgePatience = 3_000;

/**
 * `dsm2mqtt shutdown --direct`: for the hour when broker and network are dead. A bridge that runs on this machine does
 * it, so that no two are at one VM; without one, or if it does not answer, this process does. Waits for the end.
 */
export async function shutDownDirectly({
  config,
  vm,
  options,
  signal,
  patience,
  ...shown
}: ShutdownOptions): Promise<number> {
  const found = findVm(config, vm);
  const { command, payload } = commandPayload('shutdown', undefined, options);
  const progress = new Progress(shown);
  try {
    const lock = await lockFolder(config.dataDir);
    if (lock.reason === 'held') {
      // A bridge that wakes up later must not do what this process has done meanwhile.
      const expires_at = new Date(Date.now() + bridgePatience).toISOString();
      const wish = JSON.stringify({ ...JSON.parse(payload), expires_at });
      const last = await delegate(join(config.dataDir, 'control.sock'), found.key, wish, { progress, signal });
      if (last) return isFinal(last) ? exitCodeOf(last) : exitCode.unreached;
    }
    using own = lock.reason === null ? lock : null;
    const show = (response: ResponseDocument) => progress.show(response);
    const outcome = await direct({ config, vm: found, command, lock: own, show, signal, patience });
    return exitCodeOf(outcome);
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.note('interrupted; a bridge that has taken the command carries it out all the same');
    return exitCode.failed;
  } finally {
    progress.close();
  }
}

/** The last answer of the bridge that runs here; null: it has not answered at all. */
async function delegate(
  path: string,
  vm: string,
  payload: string,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<ResponseDocument | null> {
  let last: ResponseDocument | null = null;
  try {
    for await (const response of askControl(path, vm, payload, { patience: bridgePatience, signal })) {
      last = response as ResponseDocument;
      progress.show(last);
    }
  } catch (error) {
    signal.throwIfAborted();
    progress.note(`the bridge that runs here: ${(error as Error).message}`);
  }
  return last;
}
