import { Dispatcher, type DispatcherOptions } from '../../commands/dispatcher.ts';
import type { PowerParts } from '../../commands/power-job.ts';
import type { HostConfig } from '../../config/config.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { type CallFailure, callPatience } from '../../model/job/job.ts';
import type { Policy } from '../../model/policy.ts';
import type { VmKey } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import type { Logger } from '../../util/logger.ts';
import { anyPortOpen } from '../../util/tcp-probe.ts';
import { Link } from '../../vm/link.ts';
import { attempt, callPower } from '../../vm/power.ts';
import { takeScreenshot } from '../../vm/screen.ts';
import { Watch, type WatchOptions } from '../../vm/watch.ts';
import { opener } from './libvirt.ts';

/** What watches the VMs and controls their power; the bridge and `shutdown --direct` both use it. */

export type Hypervisor = ReturnType<typeof createHypervisor>;

/** `hooks`: as the watch calls them. */
export function createHypervisor(
  { libvirt, vms }: HostConfig,
  state: State,
  logger: Logger,
  hooks: Partial<Pick<WatchOptions, 'emit' | 'ranBefore' | 'stranger' | 'defined' | 'stored'>> = {},
) {
  const open = opener(libvirt);
  const { emit = state.dispatch } = hooks;
  const watch = new Watch({ vms, ...hooks, emit, logger: logger.child({ part: 'vm' }) });
  const link = new Link({ open, prepare: client => watch.begin(client), logger: logger.child({ part: 'libvirt' }) });
  link.on('down', reason => emit({ type: 'hypervisor_down', reason }));
  return { open, watch, link };
}

/** PNG of a VM's screen, or why there is none. */
export type TakePicture = (key: VmKey) => Promise<Buffer | CallFailure>;

/** `client`: a connection that a slow answer may block. */
export function createCamera({ watch }: Hypervisor, client: () => Libvirt | null): TakePicture {
  return key =>
    attempt(client(), watch.target(key)?.ref ?? null, (...domain) =>
      takeScreenshot(...domain, { timeout: callPatience.change }),
    );
}

/** The ports of DSM's own pages: DSM closes them early in its shutdown. */
const dsmPorts = [5_000, 5_001];
/** Milliseconds. */
const portPatience = 2_000;

/** `addressOf`: DSM's address, if something better than the configured one is known. */
export function createPower(
  { vms }: HostConfig,
  state: State,
  watch: Watch,
  addressOf: (key: VmKey) => string | null,
): PowerParts {
  const addresses = new Map(vms.map(({ key, address }) => [key, address]));
  const others = new Set(vms.flatMap(({ key, guest }) => (guest === 'dsm' ? [] : key)));
  return {
    snapshot: () => state.snapshot,
    call: (key, call, how) => callPower(watch.client, watch.target(key)?.ref ?? null, call, how),
    read: key => watch.hint(key),
    missing: key => watch.missing(key),
    portsOpen: async key => {
      const address = others.has(key) ? null : (addresses.get(key) ?? addressOf(key));
      return address === null ? null : anyPortOpen(address, dsmPorts, portPatience);
    },
    emit: state.dispatch,
  };
}

export function createDispatcher(config: HostConfig, options: Omit<DispatcherOptions, 'vms' | 'readOnly'>): Dispatcher {
  const policies: Readonly<Record<VmKey, Policy>> = Object.fromEntries(config.vms.map(vm => [vm.key, vm]));
  return new Dispatcher({ ...options, vms: policies, readOnly: config.libvirt.readOnly });
}
