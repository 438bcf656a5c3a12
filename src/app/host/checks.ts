import { readFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { Checks } from '../../checks/checks.ts';
import { type Host, type RememberedChecks, rememberedChecks } from '../../checks/engine/run.ts';
import { Findhost } from '../../checks/findhost/client.ts';
import type { Findings } from '../../checks/finding.ts';
import type { AskAgent } from '../../checks/probes/agent.ts';
import { webPorts } from '../../checks/probes/web/port.ts';
import { type Probes, realProbes } from '../../checks/probes.ts';
import type { HostConfig } from '../../config/config.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import type { VmKey } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import type { Logger } from '../../util/logger.ts';
import { Store } from '../../util/store.ts';
import { addressesOf, askAgent } from '../../vm/agent.ts';
import { Link } from '../../vm/link.ts';
import type { Watch } from '../../vm/watch.ts';
import { isLocal } from './libvirt.ts';
import type { Hypervisor } from './power.ts';

export interface RunningChecksOptions {
  config: HostConfig;
  state: State;
  hypervisor: Pick<Hypervisor, 'open' | 'watch'>;
  host: Host;
  save: (remembered: RememberedChecks) => void;
  remembered: RememberedChecks;
  logger: Logger;
  /** A connection that a slow answer may block. Default: its own one, because a guest agent may not answer. */
  client?: () => Libvirt | null;
  /** For tests: others than the real ones. */
  probes?: Partial<Probes> | undefined;
}

export type RunningChecks = ReturnType<typeof createChecks>;

export function createChecks(options: RunningChecksOptions) {
  const { config, state, host, save, remembered, logger, probes } = options;
  const { open, watch } = options.hypervisor;
  const link = new Link({ open, quiet: true, logger: logger.child({ part: 'libvirt-checks' }) });
  const client = options.client ?? (() => link.client);
  const findhost = new Findhost();
  const { readOnly } = config.libvirt;
  const addresses: Probes['addresses'] = async (key, { timeout, signal }) => {
    const target = watch.target(key);
    if (!target) return [];
    const macs = target.domain.hardware.nics.map(nic => nic.mac);
    return addressesOf(client(), target.ref, macs, { timeout, signal, readOnly });
  };
  const agent: AskAgent = async (key, limits) => {
    const target = watch.target(key);
    return target && !readOnly ? askAgent(client(), target.ref, limits) : 'not_applicable';
  };
  const all: Probes = { ...realProbes(findhost, agent, addresses), ...probes };
  const checks = new Checks(
    {
      vms: config.vms.map(({ key, domain, guest, expected, address, checks: times }) => {
        return { key, domain, checks: { ...times, guest, expected, address } };
      }),
      state,
      runId: key => runId(watch, key),
      instead: key => watch.instead(key),
      reread: key => watch.hint(key),
      probes: all,
      local: () => isLocal(config.libvirt, state.snapshot.hypervisor.info?.hostname ?? null),
      host,
      save,
      logger: logger.child({ part: 'checks' }),
    },
    remembered,
  );
  return {
    checks,
    /** What kind of page answers at a VM's address; it does not log in. */
    identify: async (key: VmKey, host: string, signal: AbortSignal): Promise<Findings['web']['kind']> => {
      const { ports = [], probeTimeout: timeout = 0 } = config.vms.find(vm => vm.key === key)?.checks ?? {};
      const { dsm = null } = state.snapshot.vms[key]?.check ?? {};
      const address = await all.resolve(host);
      if (address === null) return 'not_applicable';
      const target = { address, ports: webPorts(ports, dsm), loaderSigns: false };
      return (await all.web(target, { timeout, signal })).kind;
    },
    start: () => {
      if (!options.client) link.start();
      checks.start();
    },
    close: async () => {
      checks.close();
      await Promise.all([findhost.close(), link.close()]);
    },
  };
}

function runId(watch: Watch, key: string): number | null {
  const id = watch.target(key)?.ref.id ?? -1;
  return id === -1 ? null : id;
}

/** Where the checks of all VMs are stored: one file for the bridge and for `dsm2mqtt check`. */
export function checksStore(folder: string, logger: Logger): Store<RememberedChecks> {
  return new Store({ path: join(folder, 'checks.json'), empty: {}, schema: rememberedChecks, logger });
}

export async function thisHost(): Promise<Host> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null);
  return { boot: boot?.trim() ?? null, uptime: () => uptime() * 1_000 };
}
