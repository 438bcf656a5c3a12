import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksStore } from '../../app/host/checks.ts';
import { isLocal } from '../../app/host/libvirt.ts';
import type { Config, HostConfig } from '../../config/config.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { adapterOf } from '../../loader/kinds/index.ts';
import { type Inspection, type InspectOptions, inspect } from '../../loader/plan/inspect.ts';
import type { World } from '../../loader/plan/world.ts';
import type { Command } from '../../model/command.ts';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { Policy } from '../../model/policy.ts';
import { silent } from '../../util/logger.ts';
import type { Target, Watch } from '../../vm/watch.ts';
import { findVm } from '../command.ts';
import { withDomains } from '../domains.ts';
import { exitCode, Refusal, type Takes } from '../terminal.ts';

export interface InspectVmOptions extends Takes<'vm' | 'json' | 'signal'> {
  config: HostConfig;
  /** What the command says of the time to power off; default: nothing. */
  command?: Pick<Command, 'timeout' | 'onTimeout'> | undefined;
  /** For tests: others than the real ones. */
  world?: Partial<World> | undefined;
}

export interface InspectedVm {
  vm: Config['vms'][number];
  settings: LoaderSettings;
  running: boolean;
  inspection: Inspection;
  shutdown: Policy['shutdown'];
}

/** A VM's loader, looked at by this process; nothing is changed. Rejects with `Refusal`. */
export async function inspectVm(options: InspectVmOptions): Promise<InspectedVm> {
  const { config, signal } = options;
  const vm = findVm(config, options.vm);
  const { loader } = vm;
  if (!loader) throw new Refusal(exitCode.usage, noLoader(vm.key));
  const look = async (client: Libvirt, watch: Watch) => {
    const target = watch.target(vm.key);
    if (target) return inspected(options, { vm, loader, target, client });
    throw new Refusal(exitCode.failed, `${vm.label} (${vm.key}): ${watch.missing(vm.key)}`);
  };
  return withDomains({ libvirt: config.libvirt, vms: [vm] }, look, signal);
}

/** Also of `rollback`. */
export function noLoader(key: string): string {
  return `VM '${key}' has no 'loader' in the configuration: there is nothing to rebuild`;
}

async function inspected(
  { config, command, signal, world }: InspectVmOptions,
  { vm, loader, target, client }: { vm: InspectedVm['vm']; loader: LoaderSettings; target: Target; client: Libvirt },
): Promise<InspectedVm> {
  const { ref, domain } = target;
  // As with a reboot, only the command itself can have its power cut.
  const onTimeout = command?.onTimeout ?? 'report';
  const shutdown = { ...vm.shutdown, timeout: command?.timeout ?? vm.shutdown.timeout, onTimeout };
  const scratch = await temporary(config.dataDir);
  try {
    const inspection = await inspect({
      ...{ settings: loader, adapters: adapterOf, client, ref, signal, scratch, world, onTimeout },
      vm: { domain, check: await lastCheck(config, vm.key, ref.uuid) },
      local: isLocal(config.libvirt, await client.hostname({ signal })),
    });
    return { vm, settings: loader, running: domain.active, inspection, shutdown };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** As the bridge last stored DSM's state; this does not check it. */
async function lastCheck({ dataDir }: HostConfig, key: string, uuid: string): Promise<InspectOptions['vm']['check']> {
  const known = (await checksStore(dataDir, silent).load())[key];
  return known?.uuid === uuid && known.dsm ? { verdict: 'unknown', dsm: known.dsm } : null;
}

/** The bridge's own folder has room; a container's /tmp may be read-only, and another user's folder as well. */
async function temporary(dataDir: string): Promise<string> {
  const made = (folder: string) => mkdtemp(join(folder, 'dsm2mqtt-'));
  return made(dataDir).catch(() => made(tmpdir()));
}
