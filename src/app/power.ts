import { Jobs, type JobsOptions } from '../commands/dispatcher.ts';
import type { BeginLong } from '../commands/long-job.ts';
import type { Clock, SlotParts } from '../commands/power-job.ts';
import type { Answers } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import type { Event } from '../model/event.ts';
import type { Policy } from '../model/policy.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';
import { Link } from '../vm/link.ts';
import { anyPortOpen } from '../vm/ports.ts';
import { callPower } from '../vm/power.ts';
import { Watch } from '../vm/watch.ts';
import { opener } from './libvirt.ts';

export interface SteeringOptions {
  config: Config;
  snapshot: () => Snapshot;
  dispatch: (event: Event) => void;
  answers: Answers;
  errand: JobsOptions['errand'];
  /** Default: none. */
  long?: BeginLong | undefined;
  logger: Logger;
  clock?: Clock;
  /** Milliseconds between off and start. */
  pause?: number;
  /** DSM's address, where more is known than is configured. */
  addressOf?: (key: VmKey) => string | null;
}

/** All that a command goes through on its way to libvirt; the bridge has one, and so has `shutdown --direct`. */
export interface Steering {
  open: (signal: AbortSignal) => Promise<Libvirt>;
  watch: Watch;
  link: Link;
  jobs: Jobs;
  /** What the VMs' power goes through. */
  power: SlotParts;
  policies: Readonly<Record<VmKey, Policy>>;
}

/** DSM's own pages: what it closes early when it shuts down. */
const dsmPorts = [5_000, 5_001];

export function steer({
  config,
  snapshot,
  dispatch,
  answers,
  errand,
  long,
  logger,
  clock,
  pause,
  addressOf,
}: SteeringOptions): Steering {
  const { libvirt, vms } = config;
  const open = opener(libvirt);
  const watch = new Watch({ vms, emit: dispatch, logger: logger.child({ part: 'vm' }) });
  const link = new Link({ open, prepare: client => watch.begin(client), logger: logger.child({ part: 'libvirt' }) });
  const addresses = new Map(vms.map(({ key, address }) => [key, address]));
  const policies = Object.fromEntries(vms.map(vm => [vm.key, policyOf(vm, addressOf !== undefined)]));
  const power: SlotParts = {
    snapshot,
    call: (key, call, how) => callPower(watch.client, watch.target(key)?.ref ?? null, call, how),
    read: key => watch.hint(key),
    missing: key => watch.missing(key),
    portsOpen: async key => {
      const address = addresses.get(key) ?? addressOf?.(key) ?? null;
      return address === null ? null : anyPortOpen(address, dsmPorts);
    },
    emit: dispatch,
  };
  const jobs = new Jobs({
    ...power,
    ...{ vms: policies, readOnly: libvirt.readOnly, errand, answers },
    ...(long && { long }),
    ...(clock && { clock }),
    ...(pause !== undefined && { pause }),
  });
  link.on('down', reason => dispatch({ type: 'hypervisor_down', reason }));
  return { open, watch, link, jobs, power, policies };
}

function policyOf({ commands, shutdown, reboot, address }: Config['vms'][number], mayBeFound: boolean): Policy {
  return { commands, shutdown, reboot, watchPorts: address !== null || mayBeFound };
}
