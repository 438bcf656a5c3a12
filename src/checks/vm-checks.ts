import { type Expectation, unknownDsm, type Wish } from '../model/check.ts';
import type { Event } from '../model/event.ts';
import type { Activity, VmKey, VmSnapshot } from '../model/snapshot.ts';
import type { Places } from '../util/places.ts';
import { type Cause, diagnoses, type Facts } from './diagnoses.ts';
import { ageOf, canAnswer, type Machine, machineOf } from './evidence.ts';
import { type Examination, examine, longest, type Subject } from './examine.ts';
import { Follow } from './follow.ts';
import { emptyLedger, entered, isUnchanged, kindsIn, type Ledger } from './ledger.ts';
import type { Probes } from './probes.ts';
import { Quiet } from './quiet.ts';
import type { Known } from './remembered.ts';
import { report } from './report.ts';
import { type Host, type Run, resetAt, runOf, upAt } from './run.ts';
import { notChecked, type Standing, settle } from './standing.ts';
import { diagnose } from './verdict.ts';

/** What the configuration says of one VM's checks. Milliseconds. */
export interface CheckPolicy {
  expected: Expectation;
  /** A name or an address; null: to be found. */
  address: string | null;
  ports: readonly number[];
  failuresBeforeDown: number;
  bootGrace: number;
  probeTimeout: number;
}

export interface VmChecksOptions {
  key: VmKey;
  /** libvirt's name or UUID of it. */
  domain: string;
  policy: CheckPolicy;
  /** The VM as it is known now, and whether libvirt is there. */
  vm: () => VmSnapshot | null;
  libvirtUp: () => boolean;
  /** libvirt's id of the run; null: it does not run. */
  runId: () => number | null;
  /** Reads the definition again: libvirt has no event for a link that is set down. */
  reread: () => Promise<void>;
  probes: Probes;
  local: boolean;
  host: Host;
  known: Known;
  remember: (known: Known) => void;
  /** Not only when somebody asks for it. */
  automatic: boolean;
  /** When the schedule comes round next, milliseconds since 1970; null: never. */
  scheduled: () => number | null;
  emit: (event: Event) => void;
  /** Shared by all VMs. */
  places: Places;
  now: () => number;
}

/** Milliseconds until a check that found something worse is made again, before anybody is told. */
export const retest = 15_000;
/** Milliseconds between checks while DSM comes up. */
const whileBooting = 5_000;
/** Milliseconds after a change in the network, of which several come at once. */
const afterChange = 1_000;

/**
 * The checks of one VM: what is known of its run, one check at a time, and what they have come to. What libvirt says
 * of the machine counts at once and without a check.
 */
export class VmChecks {
  readonly #options: VmChecksOptions;
  readonly #quiet = new Quiet();
  readonly #follow: Follow;
  #known: Known;
  #run: Run | null = null;
  #ledger: Ledger = emptyLedger;
  #standing: Standing;
  #port = 5_000;
  #checkedAt: number | null = null;
  /** When the next one was to begin, as it was known at the end of the last one. */
  #dueAt: number | null = null;
  /** What is under way, and whether it asks everything. */
  #current: { whole: boolean; done: Promise<void>; abort: AbortController } | null = null;
  #wired: string | null = null;
  #closed = false;

  constructor(options: VmChecksOptions) {
    this.#options = options;
    this.#known = options.known;
    this.#standing = notChecked(options.now());
    this.#follow = new Follow(() => void this.check(true), options);
  }

  start(): void {
    this.#dueAt = this.#nextAt();
  }

  /** IPv4 of DSM, if it is known. */
  get address(): string | null {
    return this.#known.address;
  }

  /** The verdict and its sentence. */
  get summary(): string {
    const check = this.#options.vm()?.check;
    return check ? `${check.verdict}: ${check.reason}` : 'it has not been checked yet';
  }

  /** Whether the next check should long have been through. */
  isOverdue(patience: number): boolean {
    const due = this.#dueAt;
    return due !== null && this.#options.now() > due + longest(this.#options.policy.probeTimeout) + patience;
  }

  /** To be told of every event of this VM, and of libvirt's coming and going, after the snapshot has taken it. */
  hear(event: Event): void {
    if (this.#closed) return;
    switch (event.type) {
      case 'stats':
        this.#quiet.hear(event.stats, this.#options.vm()?.domain?.hardware.disks ?? [], performance.now());
        return;
      case 'domain':
        this.#machineChanged();
        return;
      case 'rebooted':
        if (this.#run) this.#begin(resetAt(this.#run, this.#options.now()));
        this.#machineSettled();
        return;
      case 'hypervisor_up':
      case 'hypervisor_down':
      case 'work':
      case 'wished':
        this.#machineSettled();
        return;
      default:
    }
  }

  /** One check; `whole` asks everything. One that is under way serves, if it asks as much. */
  async check(whole: boolean): Promise<void> {
    if (this.#closed) return;
    if (this.#current) {
      const { whole: enough, done } = this.#current;
      await done;
      if (enough || !whole) return;
      return this.check(whole);
    }
    const abort = new AbortController();
    const done = this.#options.places
      .take(() => this.#check(whole, abort.signal))
      // Ended: the machine is another one now, which has its own check coming.
      .catch(error => {
        if (!abort.signal.aborted) throw error;
      })
      .finally(() => {
        this.#current = null;
      });
    this.#current = { whole, done, abort };
    await done;
  }

  close(): void {
    this.#closed = true;
    this.#follow.cancel();
    this.#current?.abort.abort();
  }

  async #check(whole: boolean, signal: AbortSignal): Promise<void> {
    const { now, policy, probes, reread } = this.#options;
    signal.throwIfAborted();
    if (!canAnswer(this.#machine())) {
      this.#done(now());
      return;
    }
    const settled = seenFromBelow.has(this.#standing.cause) && this.#standing.failures === 0;
    // Where something is wrong, all is asked; where the disks may be asleep, no more than must be.
    const cheap = settled && (!whole || this.#quiet.at(performance.now()));
    const options = {
      prepare: settled ? null : reread,
      enough: cheap ? isUnchanged.bind(null, this.#ledger) : null,
      probeTimeout: policy.probeTimeout,
      signal,
    };
    this.#take(await examine(() => this.#subject(), probes, options));
  }

  #take(found: Examination): void {
    const { now, policy } = this.#options;
    const at = now();
    this.#ledger = entered(this.#ledger, found, new Date(at).toISOString());
    this.#port = found.port;
    this.#standing = settle(this.#standing, this.#cause(), policy.failuresBeforeDown, at);
    if (diagnoses[this.#standing.cause].verdict === 'up' && this.#run) this.#run = upAt(this.#run, at);
    this.#learn(found);
    this.#goOn();
    this.#done(at);
  }

  #done(at: number): void {
    this.#checkedAt = at;
    this.#dueAt = this.#nextAt();
    this.#tell();
  }

  /** When it is to be looked at again, apart from the schedule. */
  #goOn(): void {
    const { cause, failures } = this.#standing;
    const { verdict } = diagnoses[cause];
    if (failures > 0) this.#follow.in(retest);
    else if (['booting', 'starting', 'loader', 'updating'].includes(verdict)) {
      this.#follow.in(this.#age() === 'young' ? whileBooting : retest);
    }
  }

  #learn({ address, identity, findings }: Examination): void {
    const { vm, host } = this.#options;
    const uuid = vm()?.domain?.uuid ?? null;
    const run = this.#run && uuid !== null && host.boot !== null ? { ...this.#run, uuid, boot: host.boot } : null;
    const answers = findings.neighbour.kind === 'ok' || findings.tcp.open.length > 0;
    const discovered = this.#known.discovered || (findings.discovery?.device ?? null) !== null;
    this.#keep({
      run,
      address: answers && address !== null ? address : this.#known.address,
      discovered,
      dsm: identity ? { ...identity, address: address ?? identity.address } : this.#known.dsm,
    });
  }

  #keep(known: Known): void {
    if (JSON.stringify(known) === JSON.stringify(this.#known)) return;
    this.#known = known;
    this.#options.remember(known);
  }

  /** A machine that starts, stops, or is another one; or only its hardware. */
  #machineChanged(): void {
    const { vm, runId, host, now } = this.#options;
    const snapshot = vm();
    const domain = snapshot?.domain ?? null;
    if (!domain?.active) {
      if (this.#run) this.#begin(null);
    } else {
      const id = runId() ?? this.#run?.id ?? -1;
      if (this.#run?.id !== id) {
        const { uuid } = domain;
        const startedAt = snapshot?.startedAt ?? null;
        this.#begin(runOf({ id, uuid, startedAt }, this.#known.run, host, now()));
      }
    }
    const wired = JSON.stringify(domain?.hardware.nics ?? null);
    if (this.#run && this.#wired !== null && wired !== this.#wired) this.#follow.in(afterChange);
    this.#wired = wired;
    this.#machineSettled();
  }

  /** Another run, or none: what was found in the last one says nothing any more. */
  #begin(run: Run | null): void {
    this.#run = run;
    this.#ledger = emptyLedger;
    this.#quiet.reset();
    this.#current?.abort.abort();
    if (run) this.#follow.in(afterChange);
    else this.#follow.cancel();
  }

  /** What the machine alone says counts at once. */
  #machineSettled(): void {
    const { now } = this.#options;
    const before = this.#standing.cause;
    const cause = this.#cause();
    if (!canAnswer(this.#machine()) || !isOfNetwork(before) || this.#ledger.whole === null) {
      this.#standing = settle(this.#standing, cause, 1, now());
      // Resumed, or woken up: what was known before may be true no more.
      if (before !== cause && canAnswer(this.#machine()) && !isOfNetwork(before)) this.#follow.in(afterChange);
    }
    this.#tell();
  }

  #cause(): Cause {
    const machine = this.#machine();
    // Nothing has been asked in this run.
    if (canAnswer(machine) && this.#ledger.whole === null && machine !== 'stopping') {
      return this.#age() === 'young' ? 'booting' : 'not_checked';
    }
    const past = this.#run?.wasUp ? 'was_up' : 'fresh';
    return diagnose({ machine, age: this.#age(), past, ...kindsIn(this.#ledger) });
  }

  #tell(): void {
    const { key, vm, emit, now } = this.#options;
    const snapshot = vm();
    if (!snapshot || this.#closed) return;
    const { findings, rows } = this.#ledger;
    const check = report({
      standing: this.#standing,
      machine: this.#machine(),
      wish: this.#wish(snapshot),
      busy: snapshot.work !== null,
      facts: this.#facts(snapshot),
      rows,
      latency: findings.tcp?.ms ?? null,
      checkedAt: this.#checkedAt,
      nextAt: this.#nextAt(),
      bootSeconds: this.#run?.bootSeconds ?? null,
      dsm: { ...(this.#known.dsm ?? unknownDsm), address: this.#known.address },
    });
    if (JSON.stringify(check) === JSON.stringify(snapshot.check)) return;
    emit({ type: 'checked', key, check, at: new Date(now()).toISOString() });
  }

  #facts({ domain }: VmSnapshot): Facts {
    const { policy } = this.#options;
    const { findings } = this.#ledger;
    const nic = domain?.hardware.nics[0];
    return {
      domain: domain?.name ?? this.#options.domain,
      address: this.#known.address ?? policy.address,
      port: this.#port,
      ports: policy.ports,
      closed: findings.tcp?.closed ?? [],
      mac: nic?.mac ?? null,
      tap: nic?.tap ?? null,
      source: nic?.source ?? null,
      age: this.#run?.exact ? this.#sincePowerOn() : null,
      grace: policy.bootGrace,
      bridge: findings.bridge?.explanation ?? '',
      neighbour: findings.neighbour?.explanation ?? '',
      web: findings.web?.explanation ?? '',
    };
  }

  #subject(): Subject {
    const { key, policy, local, vm } = this.#options;
    return {
      key,
      nics: vm()?.domain?.hardware.nics ?? [],
      local,
      configured: policy.address,
      lastAddress: this.#known.address,
      ports: policy.ports,
      identity: this.#known.dsm,
      discovered: this.#known.discovered,
    };
  }

  #machine(): Machine {
    const { vm, libvirtUp } = this.#options;
    const snapshot = vm();
    return machineOf(snapshot?.domain ?? null, {
      seen: libvirtUp() && snapshot?.seen === true,
      stopping: snapshot?.work != null && stopping.has(snapshot.work.activity),
    });
  }

  #sincePowerOn(): number | null {
    const since = this.#run?.since ?? null;
    return since === null ? null : this.#options.now() - since;
  }

  #age() {
    return ageOf(this.#sincePowerOn(), this.#options.policy.bootGrace);
  }

  #wish({ wish }: VmSnapshot): Wish | null {
    const { expected } = this.#options.policy;
    return expected === 'last_commanded' ? wish : expected;
  }

  #nextAt(): number | null {
    const times = [this.#follow.at, this.#options.scheduled()].filter(time => time !== null);
    return times.length > 0 ? Math.min(...times) : null;
  }
}

/** What would look otherwise from the lower layers, if it changed. */
const seenFromBelow: ReadonlySet<Cause> = new Set(['up', 'up_asleep', 'port_closed', 'cut_off']);

/** DSM closes its ports long before libvirt sees that anything happens. */
const stopping: ReadonlySet<Activity> = new Set(['shutting_down', 'rebooting']);

/** What only the probes can tell. */
function isOfNetwork(cause: Cause): boolean {
  const { verdict } = diagnoses[cause];
  return !['off', 'paused', 'crashed'].includes(verdict) && cause !== 'absent' && cause !== 'not_checked';
}
