import { isDeepStrictEqual } from 'node:util';
import { unknownDsm } from '../../model/check.ts';
import type { VmSnapshot } from '../../model/snapshot.ts';
import type { Clock } from '../../util/clock.ts';
import { diagnose } from '../diagnosis/diagnose.ts';
import { type Age, ageOf, canAnswer, type Machine } from '../diagnosis/evidence.ts';
import type { Facts } from '../diagnosis/messages.ts';
import type { Cause } from '../diagnosis/table.ts';
import type { Examination, Lower } from './examine.ts';
import { type FindingsSoFar, isUnchanged, kindsIn, noFindings, withFindings } from './findings-so-far.ts';
import { type Host, type Run, resetAt, runOf, toKnown, upAt } from './machine-run.ts';
import { type Known, nothingKnown } from './store.ts';

export interface RunStateOptions {
  /** What was known when the bridge last ended. */
  known: Known;
  remember: (known: Known) => void;
  host: Host;
  /** Milliseconds. */
  bootGrace: number;
  clock: Clock;
}

/** What is known of one VM: the run of its machine, what the probes found in it, and who DSM is. Asks nobody. */
export class RunState {
  readonly #options: RunStateOptions;
  #known: Known;
  #run: Run | null = null;
  #soFar: FindingsSoFar = noFindings;
  #port = 5_000;
  /** When DSM began to say that it updates, which may be long after power on; of the clock that only goes on. */
  #updatingSince: number | null = null;

  constructor(options: RunStateOptions) {
    this.#options = options;
    this.#known = options.known;
  }

  /** IPv4 of DSM. */
  get address(): string | null {
    return this.#known.address;
  }

  get known(): Known {
    return this.#known;
  }

  get running(): boolean {
    return this.#run !== null;
  }

  /** Everything has been asked in this run. */
  get whole(): boolean {
    return this.#soFar.whole !== null;
  }

  get rows(): FindingsSoFar['rows'] {
    return this.#soFar.rows;
  }

  get latency(): number | null {
    return this.#soFar.findings.tcp?.ms ?? null;
  }

  get hasBeenUp(): boolean {
    return this.#run?.wasUp ?? false;
  }

  get bootSeconds(): number | null {
    return this.#run?.bootSeconds ?? null;
  }

  get dsm() {
    return { ...(this.#known.dsm ?? unknownDsm), address: this.#known.address };
  }

  /** What libvirt says of the machine now. True: another run, or none; what was found in the last one says nothing any more. */
  follow({ domain, startedAt }: VmSnapshot, runId: number | null): boolean {
    const { host, clock } = this.#options;
    if (domain && this.#known.uuid !== null && this.#known.uuid !== domain.uuid) this.#keep(nothingKnown);
    if (!domain?.active) return this.running && this.#begin(null);
    const { uuid } = domain;
    if (this.#known.uuid === null) this.#keep({ ...this.#known, uuid });
    const id = runId ?? this.#run?.id ?? -1;
    if (this.#run?.id === id) return false;
    return this.#begin(runOf({ id, startedAt }, this.#known.run, host, clock));
  }

  /** The machine was reset. False: it does not run. */
  reset(): boolean {
    return this.#run !== null && this.#begin(resetAt(this.#run, this.#options.clock.now()));
  }

  take(found: Examination): void {
    const { clock } = this.#options;
    const { address, identity, findings } = found;
    this.#soFar = withFindings(this.#soFar, found, new Date(clock.date()).toISOString());
    this.#port = found.port;
    this.#updatingSince = isUpdating(this.#soFar) ? (this.#updatingSince ?? clock.now()) : null;
    const answers = findings.neighbour.kind === 'ok' || findings.tcp.open.length > 0;
    this.#keep({
      ...this.#known,
      address: answers && address !== null ? address : this.#known.address,
      discovered: this.#known.discovered || (findings.discovery?.device ?? null) !== null,
      dsm: identity ? { ...identity, address: address ?? identity.address } : this.#known.dsm,
    });
  }

  /** DSM can be used: in this run it boots no more. */
  wasUp(): void {
    if (!this.#run || this.#run.wasUp) return;
    this.#run = upAt(this.#run, this.#options.clock.now());
    this.#rememberRun();
  }

  isUnchanged(lower: Lower, address: string | null): boolean {
    return isUnchanged(this.#soFar, lower, address);
  }

  cause(machine: Machine): Cause {
    if (!this.whole && canAnswer(machine) && machine !== 'stopping') {
      return this.age() === 'young' ? 'booting' : 'not_checked';
    }
    const past = this.#run?.wasUp ? 'was_up' : 'fresh';
    const evidence = { machine, age: this.age(), past, ...kindsIn(this.#soFar) } as const;
    const cause = diagnose(evidence);
    const worst = this.#soFar.findings.bridge?.worst ?? null;
    // Of several NICs one is well, and yet nothing comes through: the other one was the way.
    return worst !== null && unheard.has(cause) ? diagnose({ ...evidence, bridge: worst.kind }) : cause;
  }

  age(): Age {
    return ageOf(this.#sinceStart(), this.#options.bootGrace);
  }

  /** For the sentences, in which a NIC that a probe spoke of goes before the first. */
  facts(cause: Cause, { domain }: VmSnapshot, ports: readonly number[]): Omit<Facts, 'domain' | 'instead'> {
    const { findings } = this.#soFar;
    const nics = domain?.hardware.nics ?? [];
    const worst = findings.bridge?.worst ?? null;
    const cable = worst !== null && worst.kind === cause ? worst : findings.bridge;
    const nic = nics.find(({ mac }) => mac === cable?.mac) ?? nics[0];
    return {
      address: this.#known.address,
      port: this.#port,
      ports,
      closed: findings.tcp?.closed ?? [],
      mac: nic?.mac ?? null,
      tap: nic?.tap ?? null,
      source: nic?.source ?? null,
      age: this.#run?.exact ? this.#sinceStart() : null,
      grace: this.#options.bootGrace,
      bridge: cable?.explanation ?? '',
      neighbour: findings.neighbour?.explanation ?? '',
      web: findings.web?.explanation ?? '',
    };
  }

  #begin(run: Run | null): true {
    this.#run = run;
    this.#soFar = noFindings;
    this.#updatingSince = null;
    this.#rememberRun();
    return true;
  }

  /** Milliseconds since it was powered on, or since its update began. */
  #sinceStart(): number | null {
    const since = this.#updatingSince ?? this.#run?.since ?? null;
    return since === null ? null : this.#options.clock.now() - since;
  }

  #rememberRun(): void {
    const { host, clock } = this.#options;
    const run = this.#run && host.boot !== null ? toKnown(this.#run, host.boot, clock) : null;
    this.#keep({ ...this.#known, run });
  }

  #keep(known: Known): void {
    if (isDeepStrictEqual(known, this.#known)) return;
    this.#known = known;
    this.#options.remember(known);
  }
}

/** Nothing answers, for want of a better reason. */
const unheard: ReadonlySet<Cause> = new Set(['silent', 'no_answer', 'filtered', 'address_unknown']);

function isUpdating({ findings }: FindingsSoFar): boolean {
  return findings.dsm?.kind === 'updating' || findings.discovery?.kind === 'updating';
}
