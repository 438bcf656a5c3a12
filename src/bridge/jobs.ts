import { type Command, type CommandWord, decide, type RejectionCode } from '../model/command.ts';
import type { Event } from '../model/event.ts';
import { type Job, type JobInput, jobActivity, startTimeout, step } from '../model/job.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import type { CallFailure } from '../vm/power.ts';
import type { Request, Responder } from './respond.ts';

export interface JobsOptions {
  vms: Readonly<Record<VmKey, { commands: readonly CommandWord[]; shutdownTimeout: number }>>;
  readOnly: boolean;
  snapshot: () => Snapshot;
  /** One libvirt call on the VM's domain; null: libvirt has taken it. */
  call: (key: VmKey, word: CommandWord) => Promise<CallFailure | null>;
  responder: Responder;
  emit: (event: Event) => void;
  now?: () => Date;
}

interface Running {
  job: Job;
  request: Request;
  timer: NodeJS.Timeout;
}

/** The one slot per VM in which a command is carried out, from its acceptance to its outcome. */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #running = new Map<VmKey, Running>();

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /** Answers at once, and again when it has ended. The libvirt call is written before this returns. */
  submit(request: Request, command: Command): void {
    const { responder, snapshot } = this.#options;
    const refusal = this.#refusal(request.key, command);
    if (refusal) {
      responder.rejected(request, refusal);
      return;
    }
    const vm = snapshot().vms[request.key];
    const decision = vm && decide(command.word, vm);
    if (decision?.do === 'call') this.#begin(request, command, vm?.domain?.uuid ?? '');
    else if (decision?.do === 'nothing') {
      responder.ended(request, { status: 'succeeded', code: 'already', message: decision.message });
    } else {
      responder.rejected(request, { code: 'wrong_state', message: decision?.message ?? 'libvirt has no such domain' });
    }
  }

  #refusal(key: VmKey, { word }: Command): { code: RejectionCode; message: string } | null {
    const { vms, readOnly, snapshot } = this.#options;
    if (readOnly) return { code: 'read_only', message: 'libvirt.read_only is set' };
    if (!vms[key]?.commands.includes(word)) {
      return { code: 'not_allowed', message: `'${word}' is not among this VM's commands in the configuration` };
    }
    if (!snapshot().hypervisor.up) return { code: 'libvirt_unavailable', message: 'libvirt is away' };
    const busy = this.#running.get(key);
    return busy ? { code: 'busy', message: `'${busy.job.command.word}' is still under way` } : null;
  }

  #begin(request: Request, command: Command, uuid: string): void {
    const { vms, call, responder, emit, snapshot } = this.#options;
    const { key } = request;
    const { word } = command;
    const usual = word === 'start' ? startTimeout : (vms[key]?.shutdownTimeout ?? 0);
    const timeout = command.timeout ?? usual;
    const running: Running = {
      job: { command, uuid, timeout },
      request,
      timer: setTimeout(() => this.#input(key, { type: 'time_up', blind: !snapshot().hypervisor.up }), timeout),
    };
    this.#running.set(key, running);
    const called = call(key, word);
    responder.accepted(request, command);
    const at = this.#now();
    const deadline = new Date(at.getTime() + timeout).toISOString();
    emit({ type: 'activity', key, activity: jobActivity[word], at: at.toISOString(), deadline });
    void called
      .catch(
        (error: Error): CallFailure => ({
          type: 'call_failed',
          status: 'failed',
          code: 'outcome_unknown',
          message: error.message,
        }),
      )
      .then(failure => failure && this.#answer(running, failure));
  }

  /** To be told of every event, after the snapshot has taken it. */
  hear(event: Event): void {
    if (event.type === 'domain') this.#input(event.key, { type: 'domain', domain: event.domain });
  }

  /** The VM is left to itself; who asked is told that nobody watches any more. */
  close(): void {
    for (const { timer, request } of this.#running.values()) {
      clearTimeout(timer);
      const message = 'the bridge is stopping; the VM is left to itself';
      this.#options.responder.ended(request, { status: 'failed', code: 'outcome_unknown', message });
    }
    this.#running.clear();
  }

  /** A late answer of libvirt to a job that has ended concerns nobody. */
  #answer(running: Running, failure: CallFailure): void {
    const { key } = running.request;
    if (this.#running.get(key) === running) this.#input(key, failure);
  }

  #input(key: VmKey, input: JobInput): void {
    const running = this.#running.get(key);
    if (!running) return;
    const next = step(running.job, input);
    if ('job' in next) {
      running.job = next.job;
      return;
    }
    const { outcome } = next;
    clearTimeout(running.timer);
    this.#running.delete(key);
    const at = this.#now().toISOString();
    if (outcome.status === 'failed') {
      const { code, message } = outcome;
      this.#options.emit({
        type: 'error',
        key,
        error: { code, message: `${running.job.command.word}: ${message}`, at },
      });
    }
    this.#options.emit({ type: 'activity', key, activity: 'none', at, deadline: null });
    this.#options.responder.ended(running.request, outcome);
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}
