import { join } from 'node:path';
import type { Findings } from '../../checks/finding.ts';
import type { HostConfig } from '../../config/config.ts';
import type { Guest, GuestKind } from '../../loader/job/parts.ts';
import type { Rebuilds, RebuildsOptions } from '../../loader/rebuilds.ts';
import type { State } from '../../model/state.ts';
import type { RunningChecks } from './checks.ts';
import { isLocal } from './libvirt.ts';
import type { Hypervisor } from './power.ts';

export interface LoaderOptions
  extends Pick<RebuildsOptions, 'line' | 'identity' | 'notify' | 'logger' | 'times' | 'world'> {
  config: HostConfig;
  state: State;
  hypervisor: Pick<Hypervisor, 'open' | 'watch'>;
  checks: Pick<RunningChecks, 'checks' | 'identify'>;
  /** Default: of the kinds that there are. */
  adapters?: RebuildsOptions['adapters'];
}

/** The rebuilds of all VMs that have a loader, with what their journals say; null if no VM has one. */
export async function createRebuilds(options: LoaderOptions): Promise<Rebuilds | null> {
  const { config, state, hypervisor, checks: running, ...rest } = options;
  const { open, watch } = hypervisor;
  const { checks, identify } = running;
  const vms = config.vms.flatMap(vm => {
    const { key, loader, address } = vm;
    if (!loader) return [];
    const guest: Guest = {
      address: () => address ?? checks.address(key),
      identify: async (host, signal) => kindOf[await identify(key, host, signal)],
      check: async () => {
        await checks.check(key);
        return state.snapshot.vms[key]?.check ?? null;
      },
      bootGrace: vm.checks.bootGrace,
    };
    return [{ key, settings: loader, policy: vm, guest }];
  });
  if (vms.length === 0) return null;
  const [{ Rebuilds }, { adapterOf }] = await Promise.all([
    import('../../loader/rebuilds.ts'),
    import('../../loader/kinds/index.ts'),
  ]);
  const rebuilds = new Rebuilds({
    vms,
    adapters: adapterOf,
    folder: join(config.dataDir, 'loader'),
    open,
    snapshot: () => state.snapshot,
    emit: state.dispatch,
    ref: key => watch.target(key)?.ref ?? null,
    local: () => isLocal(config.libvirt, state.snapshot.hypervisor.info?.hostname ?? null),
    ...rest,
  });
  const at = new Date().toISOString();
  for (const [key, loader] of await rebuilds.recall()) state.dispatch({ type: 'loader', key, loader, at });
  return rebuilds;
}

/** An open port without a page may be a booting DSM's. A name that cannot be resolved gives no finding. */
const kindOf: Readonly<Record<Findings['web']['kind'], GuestKind>> = {
  ...{ dsm: 'dsm', installer: 'installer', loader: 'loader', behind: 'other', other: 'other' },
  ...{ silent: 'other', closed: 'none', not_applicable: 'other' },
};
