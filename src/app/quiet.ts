import type { Command } from '../model/command.ts';
import type { CallFailure } from '../model/job/job.ts';
import { type Quiet, quietTime, quietUntil } from '../model/notice/quiet.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { States } from '../model/state.ts';
import { type Clock, systemClock } from '../util/clock.ts';

/** Milliseconds: no timer notices when the clock is set. */
const longestSleep = 60_000;

/** Begins and ends the quiet times of all VMs. */
export class QuietTimes {
  readonly #states: States;
  readonly #clock: Clock;
  readonly #timers = new Map<VmKey, NodeJS.Timeout>();
  /** Monotonic, of those that were begun here for some time: setting the clock makes that neither longer nor shorter. */
  readonly #ends = new Map<VmKey, number>();

  constructor(states: States, clock: Clock = systemClock) {
    this.#states = states;
    this.#clock = clock;
  }

  /** Goes on with what an earlier bridge has stored. */
  start(): void {
    for (const state of this.#states.all) for (const key of this.#states.ownedBy(state)) this.#look(key);
  }

  /** Carries out `quiet`; returns what became of it, in a sentence. */
  command(key: VmKey, command: Command): string | CallFailure {
    const now = this.#clock.date();
    const by = command.by ?? 'bridge';
    const until = quietUntil(command, now);
    if (typeof until === 'object' && until !== null) return { kind: 'rejected', ...until };
    this.#ends.delete(key);
    if (until === null) {
      const wasQuiet = this.#quiet(key) !== null;
      if (wasQuiet) this.#tell(key, null, by);
      return wasQuiet ? 'the quiet time is over' : 'it was not quiet';
    }
    if (command.until === null) this.#ends.set(key, this.#clock.now() + until - now);
    const quiet = { until: new Date(until).toISOString(), by };
    this.#tell(key, quiet, by);
    this.#look(key);
    return `its problems and alarms are held back until ${quiet.until}`;
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** Ends it if its time is up, or else looks again later. */
  #look(key: VmKey): void {
    clearTimeout(this.#timers.get(key));
    const quiet = this.#quiet(key);
    if (!quiet) return;
    const now = this.#clock.date();
    const end = this.#ends.get(key);
    const left = end === undefined ? Date.parse(quiet.until) - now : end - this.#clock.now();
    // A clock that was set back must not hold alarms back for longer than anybody may.
    if (left <= 0 || left > quietTime.longest) {
      this.#tell(key, null, null);
      return;
    }
    const wasSet = Math.abs(now + left - Date.parse(quiet.until)) > longestSleep;
    if (wasSet) this.#tell(key, { ...quiet, until: new Date(now + left).toISOString() }, quiet.by);
    this.#timers.set(key, setTimeout(() => this.#look(key), Math.min(left, longestSleep)).unref());
  }

  #quiet(key: VmKey): Quiet | null {
    return this.#states.of(key).vm(key).quiet;
  }

  /** `by`: who began or ended it; null: its time is up. */
  #tell(key: VmKey, quiet: Quiet | null, by: string | null): void {
    const at = new Date(this.#clock.date()).toISOString();
    this.#states.of(key).dispatch({ type: 'quiet', key, quiet, by, at });
  }
}
