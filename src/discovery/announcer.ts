import { isDeepStrictEqual } from 'node:util';
import { type Check, fullVersion } from '../model/check.ts';
import { type Domain, type DomainDescription, unknownDescription, unknownHardware } from '../model/domain.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import { entryOf } from '../util/entry-of.ts';
import type { Announced } from './announced-store.ts';
import { DeviceQueue, type DeviceQueueOptions, settleTime } from './device-queue.ts';
import { discoveryMessage } from './entities/abbreviations.ts';
import {
  type BridgeOptions,
  bridgeDevicePayload,
  bridgeDeviceTopic,
  type Components,
  components,
  hostDevicePayload,
  hostDeviceTopic,
  transition,
  type VmOptions,
  vmDevicePayload,
  vmDeviceTopic,
} from './entities/payload.ts';
import { bridgeEntities, hostEntities, vmEntities } from './entities/table.ts';

export interface AnnouncerOptions extends DeviceQueueOptions {
  bridge: BridgeOptions;
  vms: readonly VmOptions[];
  /** Names, if there are several. */
  hosts: readonly string[];
  save: (announced: Announced) => void;
  /** Publishes the VM's sample again: otherwise a new device's values are unavailable until the next one. */
  resample: (key: VmKey) => void;
  /** Clears the retained topics of a VM that is no longer configured. */
  retire: (key: VmKey) => void;
  retireHost: (name: string) => void;
}

/**
 * Tells Home Assistant which devices exist, and which are gone. A missing libvirt never removes anything: only the
 * configuration, a changed domain or another UUID does.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #queues = new Map<string, DeviceQueue>();
  /** The VM for which each device was last announced. */
  #owners: ReadonlyMap<string, VmOptions> = new Map();
  readonly #announced: Announced;
  #connected = false;
  /** VMs that are no longer configured, but have topics on the broker. */
  readonly #former: VmKey[];
  /** libvirt has been read: a missing domain is now truly gone. */
  #sure = false;
  #resampling: NodeJS.Timeout | undefined;

  constructor(options: AnnouncerOptions, { devices, vms, hypervisors, hosts }: Announced) {
    this.#options = options;
    const configured = new Set(options.vms.map(vm => vm.key));
    this.#former = Object.keys(vms).filter(key => !configured.has(key));
    const kept = Object.fromEntries(Object.entries(vms).filter(([key]) => configured.has(key)));
    // Without a prototype, because a VM may be called `constructor`.
    this.#announced = {
      devices: { ...devices },
      vms: Object.assign(Object.create(null), kept),
      hypervisors: { ...hypervisors },
      hosts: { ...hosts },
    };
  }

  /** A session has begun: announces everything again. */
  connected(): void {
    this.#connected = true;
    this.#announceAgain();
  }

  disconnected(): void {
    this.#connected = false;
    clearTimeout(this.#resampling);
    for (const queue of this.#queues.values()) queue.clear();
  }

  /**
   * Home Assistant has started, and has forgotten all devices. It reads the stored ones at once, so the samples follow
   * without the pauses between announcements.
   */
  again(): void {
    this.#announceAgain();
    clearTimeout(this.#resampling);
    if (!this.#connected) return;
    this.#resampling = setTimeout(() => {
      for (const vm of this.#owners.values()) this.#options.resample(vm.key);
    }, this.#options.settle ?? settleTime);
  }

  /** Announces domains that are new or have changed; only VMs in `keys` may have changed. */
  update({ hypervisor: { name, info }, host, vms }: Snapshot, keys: readonly VmKey[] = Object.keys(vms)): void {
    // Domains are read before libvirt counts as up; an announcement then would have to be repeated.
    if (!info) return;
    const { bridge, save } = this.#options;
    const known = this.#announced;
    const changed = keys.flatMap((key): [VmKey, DomainDescription][] => {
      const { domain = null, check = null } = vms[key] ?? {};
      if (!domain || domain.hardware === unknownHardware) return [];
      const description = describe(domain, check, known.vms[key] ?? null, name);
      return isDeepStrictEqual(description, known.vms[key]) ? [] : [[key, description]];
    });
    const pools = Object.keys(host?.pools ?? {});
    const isNewHost = name !== null && host !== null && !isDeepStrictEqual(pools, known.hosts[name]);
    if (isNewHost) known.hosts[name] = pools;
    const isSame = !isNewHost && isDeepStrictEqual(info, known.hypervisors[name ?? '']);
    if (this.#sure && isSame && changed.length === 0) return;
    const isAsBefore = this.#sure && isSame && changed.every(([key, { uuid }]) => known.vms[key]?.uuid === uuid);
    this.#sure = true;
    if (!isSame) known.hypervisors[name ?? ''] = info;
    for (const [key, description] of changed) known.vms[key] = description;
    save(known);
    if (!this.#connected) return;
    if (!isAsBefore) this.#announceAll();
    // Looking at all devices for each one would make many that change one by one cost their square.
    for (const [key, description] of isAsBefore ? changed : []) {
      const topic = vmDeviceTopic(bridge, description);
      const vm = this.#owners.get(topic);
      if (vm?.key === key) this.#announce(topic, vm);
    }
  }

  close(): void {
    this.disconnected();
  }

  #announceAgain(): void {
    for (const queue of this.#queues.values()) queue.clear();
    if (this.#connected) this.#announceAll();
  }

  #announceAll(): void {
    const { bridge, vms, hosts, retireHost } = this.#options;
    const { devices, vms: known, hosts: knownHosts } = this.#announced;
    const owners = new Map<string, VmOptions>();
    for (const vm of vms) {
      const description = entryOf(known, vm.key);
      const topic = description && vmDeviceTopic(bridge, description);
      // A domain that is configured twice, by name and by UUID, is one device: that of the first entry.
      if (topic && !owners.has(topic)) owners.set(topic, vm);
    }
    this.#owners = owners;
    const own = [bridgeDeviceTopic(bridge), ...hosts.map(name => hostDeviceTopic(bridge, name))];
    const isWanted = (topic: string) => own.includes(topic) || owners.has(topic);
    const gone = new Set(this.#sure ? Object.keys(devices).filter(topic => !isWanted(topic)) : []);
    if (this.#sure) for (const key of this.#former.splice(0)) this.#options.retire(key);
    // A replaced domain's entities must be removed first, or the new ones would get ids with "_2".
    for (const topic of gone) {
      this.#queue(topic).lead({ of: ['removed'], messages: [() => ''], delivered: () => this.#forget(topic) });
    }
    for (const [topic, queue] of this.#queues) if (!isWanted(topic) && !gone.has(topic)) queue.clear();
    const removedAt = Math.max(...Array.from(gone, topic => this.#queue(topic).lastAt));
    for (const name of Object.keys(knownHosts).filter(each => !hosts.includes(each))) {
      retireHost(name);
      delete knownHosts[name];
    }
    // Of one that is never reached, too, the topics are removed once it is not configured any more.
    for (const name of hosts) knownHosts[name] ??= [];
    for (const topic of own) this.#announce(topic, null, removedAt);
    for (const [topic, vm] of owners) this.#announce(topic, vm, removedAt);
  }

  /** `vm`: null for the bridge itself, and a host. What Home Assistant has already, or will have, costs next to nothing. */
  #announce(topic: string, vm: VmOptions | null, removedAt = Number.NEGATIVE_INFINITY): void {
    const { bridge, resample, hosts } = this.#options;
    const { devices, vms, hypervisors, hosts: knownHosts } = this.#announced;
    const known = devices[topic];
    const description = vm && vms[vm.key];
    const hypervisor = hypervisors[description?.on ?? ''] ?? null;
    const host = vm ? undefined : hosts.find(name => hostDeviceTopic(bridge, name) === topic);
    const own =
      host === undefined ? null : { host, pools: knownHosts[host] ?? [], hypervisor: hypervisors[host] ?? null };
    const of = [vm, description, vm && hypervisor, own?.pools, own?.hypervisor];
    const queue = this.#queue(topic);
    if (!known) queue.notBefore(removedAt);
    if (queue.hasAim(of)) return;
    const entities = own ? hostEntities(own.pools) : bridgeEntities;
    const published = components(vm && description ? vmEntities(description, vm) : entities);
    const device = () => {
      if (own) return hostDevicePayload(bridge, own.host, own.pools, own.hypervisor);
      return vm && description ? vmDevicePayload(bridge, vm, description, hypervisor) : bridgeDevicePayload(bridge);
    };
    // What the broker may soon have is stored too, or it would never be removed.
    this.#remember(topic, { ...published, ...known });
    queue.lead({
      of,
      messages: transition(known ?? {}, published, device).map(payload => () => discoveryMessage(payload())),
      delivered: () => this.#remember(topic, published),
      settled: () => vm && resample(vm.key),
    });
  }

  #queue(topic: string): DeviceQueue {
    const queue = this.#queues.get(topic) ?? new DeviceQueue(topic, this.#options);
    this.#queues.set(topic, queue);
    return queue;
  }

  #remember(topic: string, published: Components): void {
    const { devices } = this.#announced;
    if (isDeepStrictEqual(devices[topic], published)) return;
    devices[topic] = published;
    this.#options.save(this.#announced);
  }

  #forget(topic: string): void {
    delete this.#announced.devices[topic];
    this.#options.save(this.#announced);
  }
}

/** Without what changes at every start, or each start would announce it again. */
function describe(
  { uuid, name, hardware }: Domain,
  check: Check | null,
  known: DomainDescription | null,
  on: string | null,
): DomainDescription {
  // A domain that this process has not found yet may be known from an earlier one.
  const dsm = known?.uuid === uuid ? known.dsm : unknownDescription;
  const { model = null, address = null, httpPort = null } = check?.dsm ?? {};
  return {
    uuid,
    name,
    on,
    hardware: { ...hardware, nics: hardware.nics.map(nic => ({ ...nic, tap: null, link: null })) },
    dsm: {
      model: model ?? dsm.model,
      version: (check && fullVersion(check.dsm)) ?? dsm.version,
      url: address === null ? dsm.url : `http://${address}:${httpPort ?? 5_000}`,
    },
  };
}
