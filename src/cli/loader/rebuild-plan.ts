import type { Config } from '../../config/config.ts';
import type { HostConfig } from '../../config/hosts.ts';
import type { Finding } from '../../loader/plan/finding.ts';
import { planRebuild } from '../../loader/plan/plan.ts';
import { planText } from '../../loader/plan/plan-text.ts';
import { gravestFirst } from '../../loader/plan/preflight.ts';
import { exitCode } from '../outcome.ts';
import type { Output } from '../terminal.ts';
import { ended, type InspectVmOptions, inspectVm } from './inspect.ts';

export interface RebuildPlanOptions extends InspectVmOptions, Output {
  json: boolean;
  /** Only shows the plan; default true. */
  dry?: boolean;
}

/**
 * `dsm2mqtt rebuild V --dry-run`: what a rebuild would do, found out by this process; changes nothing. 0; 1: it would
 * be refused, or libvirt has no such domain; 3: libvirt was not reached. Throws `Refusal`.
 */
export async function rebuildPlan(options: RebuildPlanOptions): Promise<number> {
  const { config, json, dry, stdout } = options;
  try {
    const { vm, inspection, ...found } = await inspectVm(options);
    const findings = gravestFirst([...inspection.findings, ...permission(config, vm)]);
    const plan = planRebuild({ ...found, key: vm.key, label: vm.label, inspection: { ...inspection, findings } });
    stdout.write(json ? `${JSON.stringify(plan, null, 2)}\n` : `${planText(plan, dry).join('\n')}\n`);
    return plan.possible ? exitCode.succeeded : exitCode.failed;
  } catch (error) {
    return ended(error, options);
  }
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
