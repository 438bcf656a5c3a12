import { isDeepStrictEqual } from 'node:util';
import { type Check, fullVersion } from '../model/check.ts';
import { type Domain, type DomainDescription, unknownDescription, unknownHardware } from '../model/domain.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import type { Announced } from './announced-store.ts';
import { DeviceQueue, type DeviceQueueOptions } from './device-queue.ts';
import {
  type BridgeOptions,
  bridgeDevicePayload,
  type Components,
  components,
  type Discovery,
  transition,
  type VmOptions,
  vmDevicePayload,
  vmDeviceTopic,
} from './entities/payload.ts';

export interface AnnouncerOptions extends DeviceQueueOptions {
  bridge: BridgeOptions;
  vms: readonly VmOptions[];
  save: (announced: Announced) => void;
  /** Publishes the VM's sample once more: until the next one, Home Assistant takes a new device's values for expired. */
  resample: (key: VmKey) => void;
  /** Clears the retained topics of a VM that is no longer configured. */
  retire: (key: VmKey) => void;
}

/**
 * Tells Home Assistant which devices there are, and which are gone. Never removes anything because libvirt is away:
 * only what the configuration, a changed domain or another UUID has truly ended.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #queues = new Map<string, DeviceQueue>();
  /** The VM that each device was last announced for. */
  #owners: ReadonlyMap<string, VmOptions> = new Map();
  #announced: Announced;
  #connected = false;
  /** Keys of VMs that are no longer configured, with topics of theirs on the broker. */
  readonly #former: VmKey[];
  /** libvirt has been read: what is gone now is truly gone, and not only not seen yet. */
  #sure = false;

  constructor(options: AnnouncerOptions, announced: Announced) {
    this.#options = options;
    const configured = new Set(options.vms.map(vm => vm.key));
    const keys = Object.keys(announced.vms);
    this.#former = keys.filter(key => !configured.has(key));
    const vms = Object.fromEntries(Object.entries(announced.vms).filter(([key]) => configured.has(key)));
    this.#announced = { ...announced, vms };
  }

  /** A session has begun: announces everything again. */
  connected(): void {
    this.#connected = true;
    this.again();
  }

  disconnected(): void {
    this.#connected = false;
    for (const queue of this.#queues.values()) queue.clear();
  }

  /** Home Assistant was born: it has forgotten all. */
  again(): void {
    for (const queue of this.#queues.values()) queue.clear();
    if (this.#connected) this.#announceAll();
  }

  /** Announces what is new or different in the domains; `keys` are the only VMs that may have changed. */
  update({ hypervisor: { info }, vms }: Snapshot, keys: readonly VmKey[] = Object.keys(vms)): void {
    // Domains are read before libvirt counts as up; announced then, they would have to be announced again.
    if (!info) return;
    const known = this.#announced;
    const changed = keys.flatMap((key): [VmKey, DomainDescription][] => {
      const { domain = null, check = null } = vms[key] ?? {};
      if (!domain || domain.hardware === unknownHardware) return [];
      const description = describe(domain, check, known.vms[key] ?? null);
      return isDeepStrictEqual(description, known.vms[key]) ? [] : [[key, description]];
    });
    const all = !this.#sure || !isDeepStrictEqual(info, known.hypervisor);
    if (!all && changed.length === 0) return;
    this.#sure = true;
    this.#announced = { ...known, vms: { ...known.vms, ...Object.fromEntries(changed) }, hypervisor: info };
    this.#options.save(this.#announced);
    if (this.#connected) this.#announceAll(all ? null : new Set(changed.map(([key]) => key)));
  }

  close(): void {
    this.disconnected();
  }

  /** `only`: nothing else has changed; the cost of many VMs that come one by one must not be its square. */
  #announceAll(only: ReadonlySet<VmKey> | null = null): void {
    const { bridge, vms } = this.#options;
    const owners = new Map<string, VmOptions>();
    for (const vm of vms) {
      const description = this.#announced.vms[vm.key];
      const topic = description && vmDeviceTopic(bridge, description);
      // One domain configured twice, by name and by UUID, is one device: the first entry's.
      if (topic && !owners.has(topic)) owners.set(topic, vm);
    }
    const before = this.#owners;
    this.#owners = owners;
    const wanted = [...owners].flatMap(([topic, vm]) => {
      const description = this.#announced.vms[vm.key];
      const same = only !== null && !only.has(vm.key) && before.get(topic) === vm;
      return same || !description ? [] : [vmDevicePayload(bridge, vm, description, this.#announced.hypervisor)];
    });
    const own = bridgeDevicePayload(bridge);
    const isWanted = (topic: string) => topic === own.topic || owners.has(topic);
    const gone = this.#sure ? Object.keys(this.#announced.devices).filter(topic => !isWanted(topic)) : [];
    if (this.#sure) for (const key of this.#former.splice(0)) this.#options.retire(key);
    // A replaced domain's entities go first, or its successor would be given ids with "_2".
    for (const topic of gone) this.#queue(topic).lead({ payloads: [''], delivered: () => this.#forget(topic) });
    for (const [topic, queue] of this.#queues) if (!isWanted(topic) && !gone.includes(topic)) queue.clear();
    const removedAt = Math.max(...gone.map(topic => this.#queue(topic).lastAt));
    for (const device of [own, ...wanted]) this.#announce(device, removedAt);
  }

  #announce(device: Discovery, removedAt: number): void {
    const { topic } = device;
    const queue = this.#queue(topic);
    if (!(topic in this.#announced.devices)) queue.notBefore(removedAt);
    const published = components(device);
    queue.lead({
      payloads: transition(this.#announced.devices[topic] ?? {}, device).map(({ payload }) => JSON.stringify(payload)),
      // What may be there already is remembered too, or it would never be removed.
      sending: () => this.#remember(topic, { ...published, ...this.#announced.devices[topic] }),
      delivered: () => this.#remember(topic, published),
      settled: () => {
        const vm = this.#owners.get(topic);
        if (vm) this.#options.resample(vm.key);
      },
    });
  }

  #queue(topic: string): DeviceQueue {
    const queue = this.#queues.get(topic) ?? new DeviceQueue(topic, this.#options);
    this.#queues.set(topic, queue);
    return queue;
  }

  #remember(topic: string, published: Components): void {
    const { devices } = this.#announced;
    if (!isDeepStrictEqual(devices[topic], published)) this.#store({ ...devices, [topic]: published });
  }

  #forget(topic: string): void {
    const { [topic]: gone, ...devices } = this.#announced.devices;
    if (gone) this.#store(devices);
  }

  #store(devices: Announced['devices']): void {
    this.#announced = { ...this.#announced, devices };
    this.#options.save(this.#announced);
  }
}

/** What changes at every start is left out, or each would be announced again. */
function describe(
  { uuid, name, hardware }: Domain,
  check: Check | null,
  known: DomainDescription | null,
): DomainDescription {
  // What this life of the bridge has not found yet, an earlier one may have.
  const dsm = known?.uuid === uuid ? known.dsm : unknownDescription;
  const { model = null, address = null, httpPort = null } = check?.dsm ?? {};
  return {
    uuid,
    name,
    hardware: { ...hardware, nics: hardware.nics.map(nic => ({ ...nic, tap: null, link: null })) },
    dsm: {
      model: model ?? dsm.model,
      version: (check && fullVersion(check.dsm)) ?? dsm.version,
      url: address === null ? dsm.url : `http://${address}:${httpPort ?? 5_000}`,
    },
  };
}
