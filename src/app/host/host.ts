import type { Run } from '../../bridge/history.ts';
import type { Probes } from '../../checks/probes.ts';
import type { RecentIds } from '../../commands/recent-ids.ts';
import type { HostConfig } from '../../config/config.ts';
import type { DomainRef } from '../../libvirt/structs.ts';
import type { Event, VmKey } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import { entryOf } from '../../util/entry-of.ts';
import { HostPoll } from '../../vm/host-poll.ts';
import type { Target } from '../../vm/watch.ts';
import type { Base, Publishers } from '../publishers.ts';
import { ranBefore } from '../stores.ts';
import { Boots } from './boot.ts';
import { createChecks } from './checks.ts';
import { createCopies } from './copies.ts';
import { createDoctor } from './doctor.ts';
import { isLocal } from './libvirt.ts';
import { createRebuilds, type LoaderOptions } from './loader.ts';
import {
  createCamera,
  createDispatcher,
  createHypervisor,
  createPower,
  type Hypervisor,
  type TakePicture,
} from './power.ts';
import { SerialLogs } from './serial-logs.ts';
import { simpleCommands } from './simple-commands.ts';
import { createStatistics, type Statistics } from './statistics.ts';

/** Milliseconds between two reads of everything, for changes that have no event. */
const resyncInterval = 60_000;

export interface HostTuning {
  /** Milliseconds between off and start. */
  pause?: number;
  /** Others than the real ones. */
  probes?: Partial<Probes>;
  /** What a rebuild goes by, other than the usual. */
  loader?: Pick<LoaderOptions, 'adapters' | 'times' | 'world'>;
  /** Gets each domain of the host that is not configured: when libvirt is there, and when one is defined or started. */
  stranger?: (host: string | null, domain: DomainRef) => void;
  /** Of a VM's commands, if they are to outlive this bridge. */
  recentIds?: (key: VmKey) => RecentIds;
}

export type Host = Awaited<ReturnType<typeof createHost>>;

/** All that serves the VMs of one host. It shares nothing that can wait with another host. */
export async function createHost(
  base: Base,
  config: HostConfig,
  state: State,
  publishers: Publishers,
  tuning: HostTuning,
) {
  const { stores, machine, states } = base;
  const { name } = config.libvirt;
  const logger = name === null ? base.logger : base.logger.child({ host: name });
  const of = { config, state, logger };
  const owns = (key: VmKey) => states.of(key) === state;
  const doctor = createDoctor(config, state, stores.disks.of(owns));
  const serialLogs = new SerialLogs(state);
  const copies = createCopies(config, state, logger.child({ part: 'definition' }));
  const hypervisor = createHypervisor(config, state, logger, {
    emit: event => base.roaming.hear(state, event),
    ranBefore: target => ranSince(base, of, target),
    stranger: domain => tuning.stranger?.(name, domain),
    defined: (key, xml) => {
      doctor.look(key, xml);
      serialLogs.look(key, xml);
    },
    // Those of a VM that has moved are kept where it is.
    stored: (key, xml) => owns(key) && copies.keep(key, xml),
  });
  const statistics = createStatistics(config, state, hypervisor, logger);
  const hostPoll = new HostPoll({
    ...{ client: statistics.client, interval: config.libvirt.statsInterval, emit: state.dispatch },
    local: () => isLocal(config.libvirt, state.snapshot.hypervisor.info?.hostname ?? null),
  });
  if (name !== null) hypervisor.link.on('up', () => void hostPoll.tick());
  const takePicture = createCamera(hypervisor, statistics.client);
  const boots = new Boots({ ...of, ...publishers, hypervisor, takePicture, serialLogs });
  const machines = { hypervisor, statistics, boots, takePicture };
  const { checks, rebuilds, dispatcher } = await createMachines(base, of, publishers, machines, tuning);
  const run = runs(hypervisor, machine.boot, name);
  const parts = [dispatcher, rebuilds, checks.checks, statistics, doctor, serialLogs, copies];
  let resync: NodeJS.Timeout | undefined;
  return {
    ...{ state, link: hypervisor.link, boots, dispatcher, takePicture },
    busy: () => dispatcher.busy || Object.values(state.snapshot.vms).some(({ loader }) => loader?.armedUntil),
    /** Reads what is stored, and hears events from now on. */
    open: async (): Promise<void> => {
      tellMissing(of, hypervisor);
      state.subscribe((event, before) => {
        // One that has moved stops nowhere.
        if ('key' in event && owns(event.key)) stores.records.all.hear(event, before, state.snapshot, run);
      });
      state.subscribe((event, before) => boots.hear(event, before));
      for (const part of parts) state.subscribe((event: Event) => part?.hear(event));
      await boots.open();
    },
    start: (): void => {
      hypervisor.link.start();
      statistics.start();
      if (name !== null) hostPoll.start();
      checks.start();
      resync = setInterval(() => void hypervisor.watch.resync(), resyncInterval);
    },
    close: async (): Promise<void> => {
      clearInterval(resync);
      hostPoll.close();
      dispatcher.close();
      checks.checks.close();
      await Promise.all([
        ...[rebuilds?.close(), hypervisor.link.close(), statistics.close()],
        ...[checks.close(), copies.close()],
      ]);
      await boots.close();
    },
  };
}

interface Of {
  config: HostConfig;
  state: State;
  logger: Base['logger'];
}

interface Machines {
  hypervisor: Hypervisor;
  statistics: Statistics;
  boots: Boots;
  takePicture: TakePicture;
}

async function createMachines(
  { stores, machine, states }: Base,
  of: Of,
  { publisher, quiet, events, responder }: Publishers,
  { hypervisor, statistics, boots, takePicture }: Machines,
  { pause, probes, loader, recentIds }: HostTuning,
) {
  const { config, state, logger } = of;
  const { file, was: remembered } = stores.checks.of(key => states.of(key) === state);
  const save = file.save.bind(file);
  const checks = createChecks({ ...of, hypervisor, host: machine, probes, save, remembered });
  const power = createPower(config, state, hypervisor.watch, key => checks.checks.address(key));
  const rebuilds = await createRebuilds({
    ...{ config, state, hypervisor, checks, notify: events.publish },
    line: (key, text) => publisher.loaderLine(key, text),
    identity: (key, words) => boots.identify(key, words),
    logger: logger.child({ part: 'loader' }),
    ...loader,
  });
  const simple = simpleCommands({
    ...{ state, hypervisor, statistics, takePicture, checks: checks.checks, rebuilds, publisher, quiet },
  });
  const dispatcher = createDispatcher(config, {
    ...{ ...power, simple, replies: responder, recentIds, ...(pause !== undefined && { pause }) },
    ...(rebuilds && { loader: rebuilds.begin }),
  });
  return { checks, rebuilds, dispatcher };
}

/** Another run than the one that the last bridge saw. */
function ranSince(
  { stores, machine }: Base,
  { config, state }: Of,
  { key, ref }: Pick<Target, 'key' | 'ref'>,
): boolean {
  const local = isLocal(config.libvirt, null);
  const run = stores.records.all.runs.get(key);
  const recorded = run?.host === config.libvirt.name ? run : undefined;
  // Each host has its own ids: those of a VM that roams may be of another one.
  const roams = config.vms.some(vm => vm.key === key && vm.on !== config.libvirt.name);
  const stored = { ...(recorded && { recorded }), known: roams ? undefined : entryOf(stores.checks.was, key) };
  return ranBefore(ref, state.vm(key), { ...stored, boot: machine.boot, local });
}

function tellMissing({ state, logger }: Of, { watch }: Hypervisor): void {
  state.subscribe((event, before) => {
    // Of one that several hosts may have, all have said so.
    if (event.type !== 'domain' || event.domain || before.vms[event.key]?.seen) return;
    const fields = { event: 'domain.missing', vm: event.key, reason: watch.missing(event.key) };
    logger.child({ part: 'vm' }).warn(fields, 'libvirt has no such domain');
  });
}

function runs({ watch }: Hypervisor, boot: string | null, host: string | null): (key: VmKey) => Run | null {
  return key => {
    const ref = watch.target(key)?.ref;
    return ref ? { host, uuid: ref.uuid, boot, id: ref.id } : null;
  };
}
