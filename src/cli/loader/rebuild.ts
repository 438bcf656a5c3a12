import type { Config } from '../../config/config.ts';
import type { HostConfig } from '../../config/hosts.ts';
import type { Finding } from '../../loader/plan/finding.ts';
import { planRebuild } from '../../loader/plan/plan.ts';
import { planText } from '../../loader/plan/plan-text.ts';
import { gravestFirst } from '../../loader/plan/preflight.ts';
import type { LoaderWord } from '../../model/commands.ts';
import { type CommandOptions, commandPayload, findVm } from '../command.ts';
import { exitCode, Refusal, told } from '../outcome.ts';
import { requestOverMqtt } from '../send.ts';
import { agrees, print, type Takes } from '../terminal.ts';
import { type InspectVmOptions, inspectVm, noLoader } from './inspect.ts';
import { LoaderProgress } from './progress.ts';

export interface RebuildPlanOptions extends InspectVmOptions {
  /** Only shows the plan; default true. */
  dry?: boolean;
}

/**
 * `dsm2mqtt rebuild V --dry-run`: what a rebuild would do, found out by this process; changes nothing. 0; 1: it would
 * be refused, or libvirt has no such domain; 3: libvirt was not reached. Throws `Refusal`.
 */
export async function rebuildPlan(options: RebuildPlanOptions): Promise<number> {
  const { vm, inspection, ...found } = await inspectVm(options);
  const findings = gravestFirst([...inspection.findings, ...permission(options.config, vm)]);
  const plan = planRebuild({ ...found, key: vm.key, label: vm.label, inspection: { ...inspection, findings } });
  print(options, plan, planText(plan, options.dry).join('\n'));
  return plan.possible ? exitCode.succeeded : exitCode.failed;
}

/** What the bridge itself would answer to the command. */
function permission({ libvirt }: HostConfig, { commands }: Config['vms'][number]): Finding[] {
  if (libvirt.readOnly) {
    const message = 'libvirt is configured as read-only: the bridge refuses every command.';
    return [{ level: 'warn', code: 'read_only', message, advice: 'Leave out `read_only`.' }];
  }
  if (commands.includes('rebuild')) return [];
  const message = "`rebuild` is not among this VM's commands: the bridge refuses it.";
  return [{ level: 'warn', code: 'not_allowed', message, advice: 'Add it to `commands`.' }];
}

export interface RebuildOptions
  extends Takes<'vm' | 'json' | 'yes' | 'stdin' | 'signal'>,
    CommandOptions,
    Pick<RebuildPlanOptions, 'config' | 'world'> {
  /** Nothing but the plan; of `rebuild`. */
  dryRun?: boolean;
}

/**
 * `dsm2mqtt rebuild V`: shows the plan, asks, has the running bridge carry it out, and shows how far it is. Resolves to
 * the exit code. Throws `Refusal` before anything is sent.
 */
export async function rebuild(options: RebuildOptions): Promise<number> {
  const { json, dryRun = false, stderr, signal } = options;
  const { command } = commandPayload('rebuild', undefined, options);
  const plan = () => rebuildPlan({ ...options, dry: dryRun, command });
  if (dryRun) return plan();
  mustBeAbleToAsk(options);
  if (!json) {
    const planned = await plan().catch(error => told(error, stderr));
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
