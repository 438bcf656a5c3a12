import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksStore } from '../../app/checks.ts';
import { isLocal } from '../../app/libvirt.ts';
import type { Config } from '../../config/config.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { tcrp } from '../../loader/kinds/tcrp/index.ts';
import type { Finding } from '../../loader/plan/finding.ts';
import { type InspectOptions, inspect } from '../../loader/plan/inspect.ts';
import { type Plan, planRebuild } from '../../loader/plan/plan.ts';
import { planText } from '../../loader/plan/plan-text.ts';
import { gravestFirst } from '../../loader/plan/preflight.ts';
import type { World } from '../../loader/plan/world.ts';
import type { Command } from '../../model/command.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import { silent } from '../../util/logger.ts';
import type { Target, Watch } from '../../vm/watch.ts';
import { findVm } from '../command.ts';
import { withDomains } from '../domains.ts';
import { exitCode, Refusal, told } from '../outcome.ts';

export interface RebuildPlanOptions {
  config: Config;
  /** Key or name. */
  vm: string;
  json: boolean;
  /** Only shows the plan; default true. */
  dry?: boolean;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  signal: AbortSignal;
  /** What the command says of the time to power off; default: nothing. */
  command?: Pick<Command, 'timeout' | 'onTimeout'>;
  /** For tests: others than the real ones. */
  world?: Partial<World>;
}

type Vm = Config['vms'][number];

/**
 * `dsm2mqtt rebuild V --dry-run`: what a rebuild would do, found out by this process; changes nothing. 0; 1: it would
 * be refused, or libvirt has no such domain; 3: libvirt was not reached. Throws `Refusal`.
 */
export async function rebuildPlan(options: RebuildPlanOptions): Promise<number> {
  const { config, vm, json, dry, stdout, stderr, signal } = options;
  const found = findVm(config, vm);
  const { loader } = found;
  if (!loader) throw new Refusal(exitCode.usage, noLoader(found.key));
  const draft = async (client: Libvirt, watch: Watch) => {
    const target = watch.target(found.key);
    if (target) return drafted(options, { vm: found, loader, target, client });
    throw new Refusal(exitCode.failed, `${found.label} (${found.key}): ${watch.missing(found.key)}`);
  };
  try {
    const plan = await withDomains({ libvirt: config.libvirt, vms: [found] }, draft, signal);
    stdout.write(json ? `${JSON.stringify(plan, null, 2)}\n` : `${planText(plan, dry).join('\n')}\n`);
    return plan.possible ? exitCode.succeeded : exitCode.failed;
  } catch (error) {
    if (!signal.aborted) return told(error, stderr);
    stderr.write(`${config.libvirt.uri}: interrupted\n`);
    return exitCode.failed;
  }
}

/** Also of `rollback`. */
export function noLoader(key: string): string {
  return `VM '${key}' has no 'loader' in the configuration: there is nothing to rebuild`;
}

async function drafted(
  { config, command, signal, world }: RebuildPlanOptions,
  { vm, loader, target, client }: { vm: Vm; loader: LoaderSettings; target: Target; client: Libvirt },
): Promise<Plan> {
  const { key, label } = vm;
  const shutdown = {
    ...vm.shutdown,
    timeout: command?.timeout ?? vm.shutdown.timeout,
    // As with a reboot, only the command itself can have its power cut.
    onTimeout: command?.onTimeout ?? 'report',
  };
  const { ref, domain } = target;
  const scratch = await temporary(config.dataDir);
  try {
    const found = await inspect({
      ...{ settings: loader, adapter: tcrp, client, ref, signal, scratch, world },
      vm: { domain, check: await lastCheck(config, key, ref.uuid) },
      local: isLocal(config.libvirt, await client.hostname({ signal })),
      onTimeout: shutdown.onTimeout,
    });
    const seen = { ...found, findings: gravestFirst([...found.findings, ...permission(config, vm)]) };
    return planRebuild({ key, label, running: domain.active, settings: loader, inspection: seen, shutdown });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What the bridge itself would answer to the command. */
function permission({ libvirt }: Config, { commands }: Vm): Finding[] {
  if (libvirt.readOnly) {
    const message = 'libvirt is configured as read-only: the bridge refuses every command.';
    return [{ level: 'warn', code: 'read_only', message, advice: 'Leave out `read_only`.' }];
  }
  if (commands.includes('rebuild')) return [];
  const message = "`rebuild` is not among this VM's commands: the bridge refuses it.";
  return [{ level: 'warn', code: 'not_allowed', message, advice: 'Add it to `commands`.' }];
}

/** As the bridge last stored DSM's state; this does not check it. */
async function lastCheck({ dataDir }: Config, key: string, uuid: string): Promise<InspectOptions['vm']['check']> {
  const known = (await checksStore(dataDir, silent).load())[key];
  return known?.uuid === uuid && known.dsm ? { verdict: 'unknown', dsm: known.dsm } : null;
}

/** The bridge's own folder has room; a container's /tmp may be read-only, and another user's folder as well. */
async function temporary(dataDir: string): Promise<string> {
  const made = (folder: string) => mkdtemp(join(folder, 'dsm2mqtt-'));
  return made(dataDir).catch(() => made(tmpdir()));
}
