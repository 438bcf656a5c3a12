import {
  type BridgeOptions,
  bridgeDevicePayload,
  type Discovery,
  type VmOptions,
  vmDevicePayload,
} from '../discovery/payload.ts';
import { type Components, components, removeDevice, transition } from '../discovery/removal.ts';
import { type Check, fullVersion } from '../model/check.ts';
import {
  type Domain,
  type DomainDescription,
  type DsmDescription,
  unknownDescription,
  unknownHardware,
} from '../model/domain.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import type { Announced } from './announced.ts';
import { Line, type LineOptions } from './line.ts';

export interface AnnouncerOptions extends LineOptions {
  bridge: BridgeOptions;
  vms: readonly VmOptions[];
  save: (announced: Announced) => void;
  /** Clears the retained topics of a VM that is no longer configured. */
  retire: (key: VmKey) => void;
}

/**
 * Tells Home Assistant which devices there are, and which are gone. Never removes anything because libvirt is away:
 * only what the configuration, a changed domain or another UUID has truly ended.
 */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #lines = new Map<string, Line>();
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

  /** A session has begun: say everything again. */
  connected(): void {
    this.#connected = true;
    for (const line of this.#lines.values()) line.clear();
    this.#announceAll();
  }

  disconnected(): void {
    this.#connected = false;
    for (const line of this.#lines.values()) line.clear();
  }

  /** Home Assistant was born: it has forgotten all. */
  again(): void {
    for (const line of this.#lines.values()) line.outdated();
    if (this.#connected) this.#announceAll();
  }

  /** Announces what is new or different in the domains. */
  update(snapshot: Snapshot): void {
    // Domains are read before libvirt counts as up; announced then, they would have to be announced again.
    if (!snapshot.hypervisor.info) return;
    const vms: Record<VmKey, DomainDescription> = { ...this.#announced.vms };
    for (const [key, { domain, check }] of Object.entries(snapshot.vms)) {
      if (domain && domain.hardware !== unknownHardware) vms[key] = describe(domain, check, vms[key] ?? null);
    }
    const next = { ...this.#announced, vms, hypervisor: snapshot.hypervisor.info };
    if (this.#sure && JSON.stringify(next) === JSON.stringify(this.#announced)) return;
    this.#sure = true;
    this.#announced = next;
    this.#options.save(next);
    if (this.#connected) this.#announceAll();
  }

  close(): void {
    this.disconnected();
  }

  #announceAll(): void {
    const { bridge, vms } = this.#options;
    const devices = [
      bridgeDevicePayload(bridge),
      ...vms.flatMap(vm => {
        const description = this.#announced.vms[vm.key];
        return description ? [vmDevicePayload(bridge, vm, description, this.#announced.hypervisor)] : [];
      }),
    ];
    // One domain configured twice, by name and by UUID, is one device: the first entry's.
    const wanted = devices.filter(({ topic }, i) => devices.findIndex(other => other.topic === topic) === i);
    const topics = new Set(wanted.map(device => device.topic));
    const gone = this.#sure ? Object.keys(this.#announced.devices).filter(topic => !topics.has(topic)) : [];
    if (this.#sure) for (const key of this.#former.splice(0)) this.#options.retire(key);
    // A replaced domain's entities go first, or its successor would be given ids with "_2".
    for (const topic of gone) this.#remove(topic);
    for (const [topic, line] of this.#lines) if (!topics.has(topic) && !gone.includes(topic)) line.clear();
    const removedAt = Math.max(...gone.map(topic => this.#line(topic).settledAt));
    for (const device of wanted) this.#announce(device, removedAt);
  }

  #remove(topic: string): void {
    this.#line(topic).lead([{ ...removeDevice(topic), delivered: () => this.#forget(topic) }]);
  }

  #announce(device: Discovery, removedAt: number): void {
    const { topic } = device;
    const line = this.#line(topic);
    if (!(topic in this.#announced.devices)) line.notBefore(removedAt);
    const published = components(device);
    // What may be there already is remembered too: whoever forgets it never removes it.
    const sending = () => this.#remember(topic, { ...published, ...this.#announced.devices[topic] });
    const delivered = () => this.#remember(topic, published);
    const steps = transition(this.#announced.devices[topic] ?? {}, device);
    line.lead(
      steps.map(({ payload }, i) => ({
        payload: JSON.stringify(payload),
        sending,
        ...(i === steps.length - 1 && { delivered }),
      })),
    );
  }

  #line(topic: string): Line {
    const line = this.#lines.get(topic) ?? new Line(topic, this.#options);
    this.#lines.set(topic, line);
    return line;
  }

  #remember(topic: string, published: Components): void {
    this.#store({ ...this.#announced.devices, [topic]: published });
  }

  #forget(topic: string): void {
    const { [topic]: _, ...devices } = this.#announced.devices;
    this.#store(devices);
  }

  #store(devices: Announced['devices']): void {
    if (JSON.stringify(devices) === JSON.stringify(this.#announced.devices)) return;
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
  return {
    uuid,
    name,
    hardware: { ...hardware, nics: hardware.nics.map(nic => ({ ...nic, tap: null, link: null })) },
    dsm: describeDsm(check, known?.uuid === uuid ? known.dsm : unknownDescription),
  };
}

/** What has not been said yet in this life of the bridge may have been in an earlier one. */
function describeDsm(check: Check | null, known: DsmDescription): DsmDescription {
  if (!check) return known;
  const { model, address, httpPort } = check.dsm;
  return {
    model: model ?? known.model,
    version: fullVersion(check.dsm) ?? known.version,
    url: address === null ? known.url : `http://${address}:${httpPort ?? 5_000}`,
  };
}
