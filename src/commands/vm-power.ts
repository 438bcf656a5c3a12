import { addAbortListener } from 'node:events';
import { cancelled, failed, type Outcome, succeeded } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import { decide } from '../model/policy.ts';
import { emptyVm, type Snapshot, type VmSnapshot } from '../model/snapshot.ts';
import type { PowerJob } from './power-job.ts';

export interface VmPowerOptions {
  /** The VM's power job, free for steps while the loader's job runs. */
  job: PowerJob;
  /** The UUID of the domain; another domain with the same name is left alone. */
  uuid: string;
  command: Command;
  progress: (message: string) => void;
}

/** The VM's disks must not be written to now. The code is one of a command's outcomes. */
export class NotOff extends Error {
  override name = 'NotOff';
  readonly code: 'libvirt_unavailable' | 'interfered';
  readonly advice: string | null;

  constructor(code: NotOff['code'], message: string, advice: string | null = null) {
    super(message);
    this.code = code;
    this.advice = advice;
  }
}

/** A VM's state and power, for a job with several steps, such as a rebuild. It keeps the same rules as commands. */
export class VmPower {
  readonly #options: VmPowerOptions;

  constructor(options: VmPowerOptions) {
    this.#options = options;
  }

  get vm(): VmSnapshot {
    const { key } = this.#options.job;
    return this.#snapshot.vms[key] ?? emptyVm(key, key);
  }

  /** Reads the domain again; resolves when `vm` has the result. */
  read(): Promise<void> {
    const { key, parts } = this.#options.job;
    return parts.read(key);
  }

  /** Asks the guest to power off, as the command says. Resolves when it is off, or when the time is up. */
  shutDown(signal: AbortSignal): Promise<Outcome> {
    return this.#carryOut('shutdown', signal);
  }

  /** Starts it, but only a moment after it went off. */
  start(signal: AbortSignal): Promise<Outcome> {
    return this.#carryOut('start', signal);
  }

  /** Whether libvirt answers, now or within so many milliseconds; `vm` then has the result of a new read. */
  async reachable(within: number, signal: AbortSignal): Promise<boolean> {
    // A broken connection may not have been noticed.
    const asked = () =>
      this.read()
        .then(() => this.#snapshot.hypervisor.up)
        .catch(() => false);
    await this.#until(asked, within, signal);
    return this.#snapshot.hypervisor.up;
  }

  async goesOff(within: number, signal: AbortSignal): Promise<boolean> {
    const isOff = () => this.vm.domain?.active === false;
    await this.read().catch(() => {});
    await this.#until(async () => isOff(), within, signal);
    return isOff();
  }

  /** Aborts with `NotOff` when the VM may not be off, or is another domain than before. */
  whileOff(): AbortSignal & Disposable {
    const { listeners } = this.#options.job;
    const { uuid } = this.vm.domain ?? {};
    const control = new AbortController();
    const look = () => {
      const why = control.signal.aborted ? null : notOff(this.#snapshot, this.vm, uuid);
      if (why) control.abort(why);
    };
    listeners.add(look);
    look();
    return Object.assign(control.signal, { [Symbol.dispose]: () => void listeners.delete(look) });
  }

  get #snapshot(): Snapshot {
    return this.#options.job.parts.snapshot();
  }

  /** Asks after every event, until it holds or the time is up. Rejects with the signal's reason. */
  async #until(holds: () => Promise<boolean>, within: number, signal: AbortSignal): Promise<void> {
    const { listeners } = this.#options.job;
    const both = AbortSignal.any([signal, AbortSignal.timeout(within)]);
    while (!(await holds()) && !both.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      using _ = addAbortListener(both, () => resolve());
      listeners.add(resolve);
      await promise;
      listeners.delete(resolve);
    }
    signal.throwIfAborted();
  }

  async #carryOut(word: 'shutdown' | 'start', signal: AbortSignal): Promise<Outcome> {
    const { job, uuid, progress } = this.#options;
    signal.throwIfAborted();
    const { domain } = this.vm;
    if (!this.#snapshot.hypervisor.up) return failed('outcome_unknown', 'libvirt is away');
    if (domain && domain.uuid !== uuid) return failed('interfered', 'another domain has its name now');
    const decision = decide(word, domain);
    if (decision.do === 'nothing') return succeeded('already', decision.message);
    if (decision.do === 'reject') return failed('interfered', decision.message);
    // The command was accepted in time; its timeout is for the guest.
    const command = { ...this.#options.command, expiresAt: null };
    const how = word === 'start' ? { ...command, timeout: null, word } : command;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const ticket = {
      command,
      accepted: () => {},
      progress: (_: string, message: string) => progress(message),
      ended: resolve,
    };
    using _ = addAbortListener(signal, () => job.end('cancelled'));
    job.begin({ word, call: decision.call ?? 'press', command: how, uuid, ticket });
    const outcome = await promise;
    return signal.aborted ? cancelled('cancelled', outcome.message) : outcome;
  }
}

/** Null: it is off. `uuid`: identifies the domain. */
function notOff({ hypervisor }: Snapshot, { domain }: VmSnapshot, uuid: string | undefined): NotOff | null {
  const must = 'The VM must be off while its image is read or written, and';
  if (!hypervisor.up) {
    return new NotOff('libvirt_unavailable', `${must} libvirt is away: nobody knows whether it still is.`);
  }
  const advice = 'Let nobody else start or replace it meanwhile.';
  if (!domain) return new NotOff('interfered', `${must} libvirt has it no more.`, advice);
  if (domain.uuid !== uuid) {
    return new NotOff('interfered', `${must} another domain has its name now, ${domain.uuid}.`, advice);
  }
  if (!domain.active) return null;
  return new NotOff('interfered', `${must} somebody has started it (it is ${domain.state}).`, advice);
}
