import type { HostConfig } from '../../config/hosts.ts';
import type { LoaderWord } from '../../model/commands.ts';
import { type CommandOptions, commandPayload, findVm } from '../command.ts';
import { exitCode, Refusal } from '../outcome.ts';
import type { ProgressOptions } from '../progress.ts';
import { requestOverMqtt } from '../send.ts';
import { agrees, type Input } from '../terminal.ts';
import { noLoader } from './inspect.ts';
import { LoaderProgress } from './progress.ts';
import { type RebuildPlanOptions, rebuildPlan } from './rebuild-plan.ts';

export interface RebuildOptions extends ProgressOptions, CommandOptions {
  config: HostConfig;
  /** Key or name. */
  vm: string;
  /** Nothing but the plan; of `rebuild`. */
  dryRun?: boolean;
  /** Without asking. */
  yes: boolean;
  /** Where the user answers. */
  stdin: Input;
  /** Ends the waiting, not the command. */
  signal: AbortSignal;
  world?: RebuildPlanOptions['world'];
}

/**
 * `dsm2mqtt rebuild V`: shows the plan, asks, has the running bridge carry it out, and shows how far it is. Resolves to
 * the exit code. Throws `Refusal` before anything is sent.
 */
export async function rebuild(options: RebuildOptions): Promise<number> {
  const { config, vm, json, dryRun = false, stdout, stderr, signal, world } = options;
  const { command } = commandPayload('rebuild', undefined, options);
  const plan = () =>
    rebuildPlan({ config, vm, json, dry: dryRun, command, stdout, stderr, signal, ...(world && { world }) });
  if (dryRun) return plan();
  mustBeAbleToAsk(options);
  if (!json) {
    const planned = await plan();
    if (signal.aborted) return exitCode.interrupted;
    if (planned === exitCode.failed) return planned;
    if (planned !== exitCode.succeeded)
      stderr.write('Libvirt is not reached from here: the bridge looks for itself.\n');
  }
  return carryOut('rebuild', 'Rebuild its loader now', options);
}

/** `dsm2mqtt rollback V`: asks, and has the running bridge put the old loader back. Otherwise like `rebuild`. */
export async function rollback(options: RebuildOptions): Promise<number> {
  mustBeAbleToAsk(options);
  return carryOut('rollback', 'Power it off and put its old loader back now', options);
}

function mustBeAbleToAsk({ config, vm, yes, stdin }: RebuildOptions): void {
  const { key, loader } = findVm(config, vm);
  if (!loader) throw new Refusal(exitCode.usage, noLoader(key));
  if (!yes && !stdin.isTTY) throw new Refusal(exitCode.usage, 'there is no terminal to ask at: say --yes');
}

async function carryOut(word: LoaderWord, question: string, options: RebuildOptions): Promise<number> {
  const { config, vm, yes, stdin, stderr, signal } = options;
  const { key, label } = findVm(config, vm);
  const { payload, id } = commandPayload(word, undefined, { ...options, confirm: true });
  if (!yes && !(await agrees(`${label}: ${question}? [y/N] `, stdin, stderr, signal))) {
    stderr.write('Nothing was done.\n');
    return signal.aborted ? exitCode.interrupted : exitCode.failed;
  }
  const shown = new LoaderProgress(options);
  const code = await requestOverMqtt({
    ...{ config, key, payload, id, wait: true, shown, signal },
    also: { topic: 'loader', heard: text => shown.loader(text) },
  });
  if (code === exitCode.interrupted) {
    stderr.write(`It goes on in the bridge. To end it: dsm2mqtt send ${key} cancel\n`);
  } else if (code === exitCode.unreached) {
    stderr.write('A bridge that is started again does not resume it, but tells how the VM is.\n');
  }
  return code;
}
