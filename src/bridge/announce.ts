import {
  type BridgeOptions,
  bridgeDevicePayload,
  type Discovery,
  type VmOptions,
  vmDevicePayload,
} from '../discovery/payload.ts';
import { type Components, components, removeDevice, transition } from '../discovery/removal.ts';
import { type Domain, type DomainDescription, unknownHardware } from '../model/domain.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import type { Announced } from './announced.ts';

export interface AnnouncerOptions {
  bridge: BridgeOptions;
  vms: readonly VmOptions[];
  /** `settled` is told whether the broker has it. */
  send: (publication: {
    topic: string;
    payload: string;
    qos: 1;
    retain: true;
    settled: (delivered: boolean) => void;
  }) => boolean;
  save: (announced: Announced) => void;
  /**
   * Milliseconds between two messages of one device: Home Assistant drops parts of a payload that comes while it is at
   * an earlier one.
   */
  spacing?: number;
}

const defaultSpacing = 5_000;

interface Step {
  payload: string;
  /** From now on Home Assistant may have it. */
  sending?: () => void;
  /** It was the last one, and the broker has it. */
  delivered?: () => void;
}

/** One device's messages, in order and spaced. */
interface Line {
  steps: Step[];
  sentAt: number;
  timer: NodeJS.Timeout | undefined;
  /** The payload that Home Assistant has, or will have when the steps are through. */
  current: string | null;
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

  constructor(options: AnnouncerOptions, announced: Announced) {
    this.#options = options;
    const configured = new Set(options.vms.map(vm => vm.key));
    const vms = Object.fromEntries(Object.entries(announced.vms).filter(([key]) => configured.has(key)));
    this.#announced = { ...announced, vms };
  }

  /** A session has begun: say everything again. */
  connected(): void {
    this.#connected = true;
    for (const line of this.#lines.values()) this.#reset(line);
    this.#announceAll();
  }

  disconnected(): void {
    this.#connected = false;
    for (const line of this.#lines.values()) this.#reset(line);
  }

  /** Home Assistant was born: it has forgotten all. */
  again(): void {
    for (const line of this.#lines.values()) line.current = null;
    this.#announceAll();
  }

  /** Announces what is new or different in the domains. */
  update(snapshot: Snapshot): void {
    // Domains are read before libvirt counts as up; announced then, they would have to be announced again.
    if (!snapshot.hypervisor.info) return;
    const vms: Record<VmKey, DomainDescription> = { ...this.#announced.vms };
    for (const [key, { domain }] of Object.entries(snapshot.vms)) {
      if (domain && domain.hardware !== unknownHardware) vms[key] = describe(domain);
    }
    const next = { ...this.#announced, vms, hypervisor: snapshot.hypervisor.info };
    if (JSON.stringify(next) === JSON.stringify(this.#announced)) return;
    this.#announced = next;
    this.#options.save(next);
    if (this.#connected) this.#announceAll();
  }

  close(): void {
    this.disconnected();
  }

  #announceAll(): void {
    const { bridge, vms } = this.#options;
    const wanted = [
      bridgeDevicePayload(bridge),
      ...vms.flatMap(vm => {
        const description = this.#announced.vms[vm.key];
        return description ? [vmDevicePayload(bridge, vm, description, this.#announced.hypervisor)] : [];
      }),
    ];
    const topics = new Set(wanted.map(device => device.topic));
    const gone = Object.keys(this.#announced.devices).filter(topic => !topics.has(topic));
    // A replaced domain's entities go first, or its successor would be given ids with "_2".
    for (const topic of gone) this.#remove(topic);
    for (const [topic, line] of this.#lines) if (!topics.has(topic) && !gone.includes(topic)) this.#reset(line);
    const removedAt = Math.max(...gone.map(topic => this.#settledAt(this.#line(topic))));
    for (const device of wanted) this.#announce(device, removedAt);
  }

  #remove(topic: string): void {
    const { payload } = removeDevice(topic);
    if (this.#line(topic).current !== payload)
      this.#enqueue(topic, [{ payload, delivered: () => this.#forget(topic) }]);
  }

  /** When its last message was sent, or will be. */
  #settledAt({ steps, sentAt }: Line): number {
    const { spacing = defaultSpacing } = this.#options;
    return steps.length === 0 ? sentAt : Math.max(performance.now(), sentAt + steps.length * spacing);
  }

  #announce(device: Discovery, removedAt: number): void {
    const { topic } = device;
    const final = JSON.stringify(device.payload);
    const line = this.#line(topic);
    if (line.current === final) return;
    if (!(topic in this.#announced.devices)) line.sentAt = Math.max(line.sentAt, removedAt);
    const steps = transition(this.#announced.devices[topic] ?? {}, device).map(step => ({
      payload: JSON.stringify(step.payload),
    }));
    const published = components(device);
    // What may be there already is remembered too: whoever forgets it never removes it.
    const sending = () => this.#remember(topic, { ...published, ...this.#announced.devices[topic] });
    const delivered = () => this.#remember(topic, published);
    this.#enqueue(
      topic,
      steps.map((step, i) => ({ ...step, sending, ...(i === steps.length - 1 && { delivered }) })),
    );
  }

  #enqueue(topic: string, steps: Line['steps']): void {
    const line = this.#line(topic);
    this.#reset(line);
    line.steps = steps;
    line.current = steps.at(-1)?.payload ?? null;
    this.#advance(topic, line);
  }

  #advance(topic: string, line: Line): void {
    const { send, spacing = defaultSpacing } = this.#options;
    const [step, ...rest] = line.steps;
    if (!step || !this.#connected) return;
    const wait = line.sentAt + spacing - performance.now();
    if (wait > 0) {
      line.timer = setTimeout(() => this.#advance(topic, line), wait);
      return;
    }
    const settled = (delivered: boolean) => {
      if (delivered && line.current === step.payload) step.delivered?.();
    };
    step.sending?.();
    if (!send({ topic, payload: step.payload, qos: 1, retain: true, settled })) return;
    line.sentAt = performance.now();
    line.steps = rest;
    this.#advance(topic, line);
  }

  #line(topic: string): Line {
    const line = this.#lines.get(topic) ?? {
      steps: [],
      sentAt: Number.NEGATIVE_INFINITY,
      timer: undefined,
      current: null,
    };
    this.#lines.set(topic, line);
    return line;
  }

  #reset(line: Line): void {
    clearTimeout(line.timer);
    line.steps = [];
    line.current = null;
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
function describe({ uuid, name, hardware }: Domain): DomainDescription {
  return { uuid, name, hardware: { ...hardware, nics: hardware.nics.map(nic => ({ ...nic, tap: null })) } };
}
