import { unknownDsm } from '../model/check.ts';
import type { VmSnapshot } from '../model/snapshot.ts';
import type { Cause, Facts } from './diagnoses.ts';
import { type Age, ageOf, canAnswer, type Machine } from './evidence.ts';
import type { Examination, Lower } from './examine.ts';
import { emptyLedger, entered, isUnchanged, kindsIn, type Ledger } from './ledger.ts';
import { type Known, nothingKnown } from './remembered.ts';
import { type Host, type Run, resetAt, runOf, upAt } from './run.ts';
import { diagnose } from './verdict.ts';

export interface KnowledgeOptions {
  /** What was known when the bridge last ended. */
  known: Known;
  remember: (known: Known) => void;
  host: Host;
  /** Milliseconds. */
  bootGrace: number;
  /** Milliseconds since 1970. */
  now: () => number;
}

/** What is known of one VM: the run of its machine, what the probes found in it, and who DSM is. Asks nobody. */
export class Knowledge {
  readonly #options: KnowledgeOptions;
  #known: Known;
  #run: Run | null = null;
  #ledger: Ledger = emptyLedger;
  #port = 5_000;
  /** Since when DSM says that it updates: that may begin long after power on. */
  #updatingSince: number | null = null;

  constructor(options: KnowledgeOptions) {
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
    return this.#ledger.whole !== null;
  }

  get rows(): Ledger['rows'] {
    return this.#ledger.rows;
  }

  get latency(): number | null {
    return this.#ledger.findings.tcp?.ms ?? null;
  }

  get bootSeconds(): number | null {
    return this.#run?.bootSeconds ?? null;
  }

  get dsm() {
    return { ...(this.#known.dsm ?? unknownDsm), address: this.#known.address };
  }

  /** What libvirt says of the machine now. True: another run, or none; what was found in the last one says nothing any more. */
  follow({ domain, startedAt }: VmSnapshot, runId: number | null): boolean {
    const { host, now } = this.#options;
    if (domain && this.#known.uuid !== null && this.#known.uuid !== domain.uuid) this.#keep(nothingKnown);
    if (!domain?.active) return this.running && this.#begin(null);
    const { uuid } = domain;
    if (this.#known.uuid === null) this.#keep({ ...this.#known, uuid });
    const id = runId ?? this.#run?.id ?? -1;
    if (this.#run?.id === id) return false;
    return this.#begin(runOf({ id, startedAt }, this.#known.run, host, now()));
  }

  /** The machine was reset. False: it does not run. */
  reset(): boolean {
    return this.#run !== null && this.#begin(resetAt(this.#run, this.#options.now()));
  }

  take(found: Examination): void {
    const at = this.#options.now();
    const { address, identity, findings } = found;
    this.#ledger = entered(this.#ledger, found, new Date(at).toISOString());
    this.#port = found.port;
    this.#updatingSince = isUpdating(this.#ledger) ? (this.#updatingSince ?? at) : null;
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
    this.#run = upAt(this.#run, this.#options.now());
    this.#rememberRun();
  }

  isUnchanged(lower: Lower, address: string | null): boolean {
    return isUnchanged(this.#ledger, lower, address);
  }

  cause(machine: Machine): Cause {
    if (!this.whole && canAnswer(machine) && machine !== 'stopping') {
      return this.age() === 'young' ? 'booting' : 'not_checked';
    }
    const past = this.#run?.wasUp ? 'was_up' : 'fresh';
    return diagnose({ machine, age: this.age(), past, ...kindsIn(this.#ledger) });
  }

  age(): Age {
    return ageOf(this.#sinceStart(), this.#options.bootGrace);
  }

  /** For the sentences, in which a NIC that a probe spoke of goes before the first. */
  facts({ domain }: VmSnapshot, ports: readonly number[]): Omit<Facts, 'domain'> {
    const { findings } = this.#ledger;
    const nics = domain?.hardware.nics ?? [];
    const nic = nics.find(({ mac }) => mac === findings.bridge?.mac) ?? nics[0];
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
      bridge: findings.bridge?.explanation ?? '',
      neighbour: findings.neighbour?.explanation ?? '',
      web: findings.web?.explanation ?? '',
    };
  }

  #begin(run: Run | null): true {
    this.#run = run;
    this.#ledger = emptyLedger;
    this.#updatingSince = null;
    this.#rememberRun();
    return true;
  }

  /** Milliseconds since it was powered on, or since its update began. */
  #sinceStart(): number | null {
    const since = this.#updatingSince ?? this.#run?.since ?? null;
    return since === null ? null : this.#options.now() - since;
  }

  #rememberRun(): void {
    const { boot } = this.#options.host;
    this.#keep({ ...this.#known, run: this.#run && boot !== null ? { ...this.#run, boot } : null });
  }

  #keep(known: Known): void {
    if (JSON.stringify(known) === JSON.stringify(this.#known)) return;
    this.#known = known;
    this.#options.remember(known);
  }
}

function isUpdating({ findings }: Ledger): boolean {
  return findings.dsm?.kind === 'updating' || findings.discovery?.kind === 'updating';
}
