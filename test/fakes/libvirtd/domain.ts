import type { DomainEvent, DomainEventName } from '../../../src/libvirt/events.ts';
import type { DomainRef } from '../../../src/libvirt/structs.ts';
import { FakeConsole } from './console.ts';
import { type Guest, Intent } from './guest.ts';
import { lifecycle, reason, state } from './numbers.ts';
import { refusals } from './refusal.ts';
import { blankScreen } from './screen.ts';
import { FakeStats } from './stats.ts';
import { type Hardware, hardware, identity, liveXml, renamed, taps, withMemoryPeriod } from './xml.ts';

type Body<E> = E extends unknown ? Omit<E, 'name' | 'callbackId'> : never;
/** What an event says, without the callback id that every subscriber has of its own. */
export type EventBody<N extends DomainEventName> = Body<Extract<DomainEvent, { name: N }>>;

/** What a domain needs of its daemon. */
export interface Host {
  emit<N extends DomainEventName>(name: N, body: EventBody<N>): void;
  nextId(): number;
  nextTap(): string;
  /** A transient domain ceases to exist when it stops. */
  forget(domain: FakeDomain): void;
}

type Change = readonly [number, number];

/** One domain with its QEMU and guest: changes state, tells its daemon the events real libvirt tells, in that order. */
export class FakeDomain {
  readonly uuid: string;
  readonly stats = new FakeStats();
  readonly console = new FakeConsole();
  readonly guest: Guest = {
    powerButton: 20,
    agent: 'none',
    screens: [blankScreen],
    addresses: { lease: [], agent: [] },
  };
  autostart = false;
  persistent = true;
  /** How often the ACPI power button was pressed since the domain started. */
  presses = 0;
  /** The keys of each press of the keyboard since then. */
  keys: (readonly number[])[] = [];
  /** Seconds between the balloon's reports, as last asked for. */
  memoryPeriod = 0;
  readonly #host: Host;
  readonly #intent = new Intent(() => this.#state === state.paused);
  #name: string;
  #id = -1;
  #state: number = state.shutoff;
  #reason: number = reason.shutoff.unknown;
  #definition: string;
  #live: string | null = null;
  #monitor: { taken: boolean; back: PromiseWithResolvers<void> } | null = null;
  /** A reboot by the button was asked for: the next power-off, of whatever cause, is answered with a reset. */
  #resetsInstead = false;
  /** It was reset in its sleep: QEMU no longer takes it for asleep, and libvirt for nothing else. */
  #stranded = false;

  constructor(xml: string, host: Host) {
    ({ name: this.#name, uuid: this.uuid } = identity(xml));
    this.#definition = xml;
    this.#host = host;
    this.stats.reset(this.hardware, []);
  }

  get name(): string {
    return this.#name;
  }

  /** -1 while it is off. */
  get id(): number {
    return this.#id;
  }

  get active(): boolean {
    return this.#id !== -1;
  }

  get state(): { state: number; reason: number } {
    return { state: this.#state, reason: this.#reason };
  }

  get ref(): DomainRef {
    return { name: this.#name, uuid: this.uuid, id: this.#id };
  }

  get hardware(): Hardware {
    return hardware(this.#definition);
  }

  xml({ inactive = false } = {}): string {
    if (inactive || this.#live === null) return this.#definition;
    return this.memoryPeriod > 0 ? withMemoryPeriod(this.#live, this.memoryPeriod) : this.#live;
  }

  start(): void {
    if (this.active) throw refusals.alreadyRunning();
    this.#id = this.#host.nextId();
    this.#live = liveXml(this.#definition, this.#id, () => this.#host.nextTap());
    this.stats.reset(this.hardware, taps(this.#live));
    this.presses = 0;
    this.keys = [];
    this.memoryPeriod = 0;
    this.#resetsInstead = false;
    this.#stranded = false;
    this.#become(state.running, reason.running.booted, lifecycle.resumedUnpaused);
    this.#tell(lifecycle.startedBooted);
  }

  pause(): void {
    this.#mustRun();
    this.#mustBeAwake();
    if (this.#state === state.paused) return;
    this.#become(state.paused, reason.paused.user, lifecycle.suspendedPaused);
  }

  resume(): void {
    this.#mustRun();
    this.#mustBeAwake();
    if (this.#state === state.running) throw refusals.alreadyRunning();
    this.#become(state.running, reason.running.unpaused, lifecycle.resumedUnpaused);
    this.#intent.goOn();
  }

  /** A disk of the host failed, and QEMU stopped the guest. */
  ioError(target: string): void {
    this.#mustRun();
    const disk = this.hardware.disks.find(each => each.target === target);
    const body = { source: disk?.source ?? '', device: `${target}-alias`, action: 1, reason: 'enospc' };
    this.#host.emit('ioErrorReason', { domain: this.ref, ...body });
    this.#become(state.paused, reason.paused.ioError, lifecycle.suspendedIoError);
  }

  suspendToMemory(): void {
    this.#mustRun();
    this.#host.emit('pmSuspend', { reason: 0, domain: this.ref });
    this.#become(state.pmsuspended, reason.pmsuspended.unknown, lifecycle.pmsuspendedMemory);
  }

  wakeUp(): void {
    this.#mustRun();
    if (this.#state !== state.pmsuspended || this.#stranded) throw refusals.notAsleep();
    this.#host.emit('pmWakeup', { reason: 0, domain: this.ref });
    this.#become(state.running, reason.running.wakeup, lifecycle.startedWakeup);
  }

  /** The guest restarts, by itself or by the reset button: same QEMU, same id, same state. */
  reboot(): void {
    this.#mustRun();
    this.#resetsInstead = false;
    this.#stranded = this.#state === state.pmsuspended;
    this.#intent.forget();
    this.#host.emit('reboot', { domain: this.ref });
  }

  /** The guest turns itself off. */
  powerOff(): void {
    this.#mustRun();
    if (this.#resetsInstead) this.reboot();
    else {
      this.#become(state.shutdown, reason.shutdown.unknown, lifecycle.shutdownGuest);
      this.#stop(reason.shutoff.shutdown, lifecycle.stoppedShutdown);
    }
  }

  /** Somebody at libvirt pulls the plug. */
  destroy(): void {
    this.#mustRun();
    this.#become(state.shutdown, reason.shutdown.unknown, lifecycle.shutdownHost);
    this.#stop(reason.shutoff.destroyed, lifecycle.stoppedDestroyed);
  }

  /** Somebody at libvirt migrates it to another host. */
  migrate(): void {
    this.#mustRun();
    this.#stop(reason.shutoff.migrated, lifecycle.stoppedMigrated);
  }

  /** Somebody on the host ends QEMU by a signal. */
  kill(): void {
    this.#mustRun();
    this.#become(state.shutdown, reason.shutdown.unknown, lifecycle.shutdownHost);
    this.#stop(reason.shutoff.shutdown, lifecycle.stoppedShutdown);
  }

  /** QEMU dies. */
  crash(): void {
    this.#mustRun();
    this.#stop(reason.shutoff.crashed, lifecycle.stoppedFailed);
  }

  /** The guest's kernel dies, and QEMU is kept (`on_crash` preserve). */
  panic(): void {
    this.#mustRun();
    this.#become(state.crashed, reason.crashed.panicked, lifecycle.crashedPanicked);
  }

  /** To libvirt a reboot is the button too; it resets the guest when that has powered off. */
  pressPowerButton({ reboot = false } = {}): void {
    this.#mustRun();
    this.presses += 1;
    this.#resetsInstead = reboot;
    if (this.guest.powerButton !== 'ignored' && this.#state !== state.pmsuspended)
      this.#intent.form(this.guest.powerButton, () => this.powerOff());
  }

  /** The guest agent's way, which no guest here ignores. */
  shutDownByAgent(): void {
    this.#byAgent(() => this.powerOff());
  }

  rebootByAgent(): void {
    this.#byAgent(() => this.reboot());
  }

  /** QEMU's monitor stops answering, until `unhang()` or the end of QEMU. */
  hang(): void {
    this.#monitor ??= { taken: false, back: Promise.withResolvers() };
  }

  unhang(): void {
    this.#monitor?.back.resolve();
    this.#monitor = null;
  }

  /**
   * What libvirt does before it asks QEMU: takes the domain's job. With NOWAIT a job that another call holds is gone
   * without (false), but the first call to meet a hung QEMU holds it and waits.
   */
  async job({ nowait = false } = {}): Promise<boolean> {
    const monitor = this.#monitor;
    if (!monitor) return true;
    if (nowait && monitor.taken) return false;
    monitor.taken = true;
    await monitor.back.promise;
    return true;
  }

  /** Waits while another call holds the job. */
  async jobFree(): Promise<void> {
    if (this.#monitor?.taken) await this.#monitor.back.promise;
  }

  /** A new definition, in force at the next start. */
  redefine(xml: string): void {
    this.#definition = xml;
    this.persistent = true;
    if (!this.active) this.stats.reset(this.hardware, []);
    this.#tell(lifecycle.definedUpdated);
  }

  rename(name: string): void {
    if (this.active) throw new Error('a running domain cannot be renamed');
    this.#tell(lifecycle.undefinedRenamed);
    this.#name = name;
    this.#definition = renamed(this.#definition, name);
    this.#tell(lifecycle.definedRenamed);
  }

  /** Of a running domain it takes the definition only: it is transient then. */
  undefine(): void {
    this.persistent = false;
    if (!this.active) this.#host.forget(this);
    this.#tell(lifecycle.undefinedRemoved);
  }

  /** Any state at all, with the event that tells of it, if any. */
  become(newState: number, newReason: number, event?: Change): void {
    this.#become(newState, newReason, event);
  }

  /** Forgets its timers. */
  dispose(): void {
    this.#intent.forget();
    this.unhang();
  }

  #byAgent(act: () => void): void {
    this.#mustRun();
    this.#resetsInstead = false;
    this.#intent.form(this.guest.powerButton === 'ignored' ? 0 : this.guest.powerButton, act);
  }

  #become(newState: number, newReason: number, event?: Change): void {
    this.#state = newState;
    this.#reason = newReason;
    if (event) this.#tell(event);
  }

  #stop(why: number, event: Change): void {
    this.#intent.forget();
    this.unhang();
    this.console.close();
    this.#id = -1;
    this.#live = null;
    if (!this.persistent) this.#host.forget(this);
    this.#become(state.shutoff, why, event);
  }

  #tell([event, detail]: Change): void {
    this.#host.emit('lifecycle', { domain: this.ref, event, detail });
  }

  #mustRun(): void {
    if (!this.active) throw refusals.notRunning();
  }

  #mustBeAwake(): void {
    if (this.#state === state.pmsuspended) throw refusals.asleep();
  }
}
