import type { ResponseDocument } from '../../commands/responder.ts';
import type { Config, HostConfig } from '../../config/config.ts';
import type { Finding } from '../../loader/plan/finding.ts';
import { planRebuild } from '../../loader/plan/plan.ts';
import { planText } from '../../loader/plan/plan-text.ts';
import { gravestFirst } from '../../loader/plan/preflight.ts';
import type { LoaderWord } from '../../model/commands.ts';
import type { LoaderDocument } from '../../model/documents.ts';
import { orNull } from '../../util/or-null.ts';
import { type CommandOptions, commandPayload, findVm } from '../command.ts';
import { requestOverMqtt } from '../send.ts';
import { agrees, bar, exitCode, isFinal, line, Progress, print, Refusal, type Takes, told } from '../terminal.ts';
import { type InspectVmOptions, inspectVm, noLoader } from './inspect.ts';

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

/**
 * Shows a rebuild or rollback as it goes: a line for each phase and step, with a bar under them on a terminal; or every
 * document and response as a line of JSON. The result goes to stdout, the progress to stderr.
 */
export class LoaderProgress extends Progress {
  #last: LoaderDocument | null = null;

  /** The documents of `B/V/loader`; ignores anything else. */
  loader(text: string): void {
    const document = read(text);
    if (!document) return;
    const before = this.#last;
    this.#last = document;
    if (this.asJson(document)) return;
    this.close();
    const { phase, step, under_way } = document;
    if (!under_way) return;
    if (phase !== before?.phase || step !== before?.step) this.note(`${phase}: ${step ?? ''}`);
    const heardAt = performance.now();
    this.bar.draw(() => barLine(document, (performance.now() - heardAt) / 1_000));
  }

  override show(response: ResponseDocument): void {
    // Each phase has its line already.
    if (this.asJson(response) || response.status === 'progress') return;
    this.close();
    // The limit may be hours away, and most of them will not be needed.
    if (!isFinal(response)) this.note(`${response.command} ${response.status}`);
    else this.options.stdout.write(`${[line(response), ...this.#afterwards()].join('\n')}\n`);
  }

  #afterwards(): string[] {
    const { next_step = null, backup = null } = this.#last ?? {};
    return [
      ...(next_step === null ? [] : [next_step]),
      ...(backup?.file ? [`Backup of the old loader: ${backup.file}`] : []),
    ];
  }
}

/** `[######..................] 25 %  3:12  Build the loader`; `since`: seconds since it was said. */
export function barLine(
  { percent, step, elapsed_seconds }: Pick<LoaderDocument, 'percent' | 'step' | 'elapsed_seconds'>,
  since: number,
): string {
  const seconds = Math.round((elapsed_seconds ?? 0) + since);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  return `${bar((percent ?? 0) / 100)} ${String(percent ?? 0).padStart(2)} %  ${time}  ${step ?? ''}`;
}

function read(text: string): LoaderDocument | null {
  const body = orNull(() => JSON.parse(text));
  return typeof body?.phase === 'string' && typeof body.under_way === 'boolean' ? body : null;
}
