import { join } from 'node:path';
import { expanded } from '../app/every-domain.ts';
import type { ResponseDocument } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import { lockFolder } from '../util/lock.ts';
import { type CommandOptions, commandPayload, findVm, listedVm } from './command.ts';
import { askControl } from './control.ts';
import { direct } from './direct.ts';
import { onItsHost } from './domains.ts';
import { Progress } from './progress.ts';
import { type ExitCode, exitCode, exitCodeOf, isFinal, type Takes } from './terminal.ts';

export interface ShutdownOptions extends Takes<'vm' | 'json' | 'signal'>, CommandOptions {
  config: Config;
  /** Milliseconds until libvirt has to be there. */
  patience?: number;
}

/** Milliseconds; a running bridge answers at once. */
const bridgePatience = 3_000;

/**
 * `dsm2mqtt shutdown --direct`: for the time when broker and network are down. A bridge that runs on this machine does
 * it, so that never two processes control one VM; without a bridge, or if it does not answer, this process does. Waits
 * for the end.
 */
export async function shutDownDirectly(options: ShutdownOptions): Promise<ExitCode> {
  const { signal, patience } = options;
  // A host that hangs delays no shutdown of a VM that has an entry of its own.
  const config = listedVm(options.config.vms, options.vm) ? options.config : await expanded(options.config, signal);
  const vm = findVm(config, options.vm);
  const { command, payload } = commandPayload('shutdown', undefined, options);
  const progress = new Progress(options);
  try {
    const lock = await lockFolder(config.dataDir);
    if (lock.reason === 'held') {
      // A bridge that resumes later must not repeat what this process has done.
      const expires_at = new Date(Date.now() + bridgePatience).toISOString();
      const last = await delegate(options, vm.key, JSON.stringify({ ...JSON.parse(payload), expires_at }), progress);
      if (last) return isFinal(last) ? exitCodeOf(last) : exitCode.unreached;
    }
    using own = lock.reason === null ? lock : null;
    const show = (response: ResponseDocument) => progress.show(response);
    return exitCodeOf(
      await direct({ config: await onItsHost(config, vm, signal), vm, command, lock: own, show, signal, patience }),
    );
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
  { config, signal }: ShutdownOptions,
  vm: string,
  payload: string,
  progress: Progress,
): Promise<ResponseDocument | null> {
  const socket = join(config.dataDir, 'control.sock');
  let last: ResponseDocument | null = null;
  try {
    for await (const response of askControl(socket, vm, payload, { patience: bridgePatience, signal })) {
      last = response as ResponseDocument;
      progress.show(last);
    }
  } catch (error) {
    signal.throwIfAborted();
    progress.note(`the bridge that runs here: ${(error as Error).message}`);
  }
  return last;
}
