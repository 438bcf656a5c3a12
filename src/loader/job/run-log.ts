import type { Outcome } from '../../model/codes.ts';
import type { Loader } from '../../model/loader.ts';
import { Redactor, redact } from '../redact.ts';
import { unwritable } from './failure.ts';
import { type LoaderRecord, saveRecord, withRecord } from './journal.ts';
import { Lines } from './lines.ts';
import type { LogFile } from './log-file.ts';
import type { JobParts } from './parts.ts';
import { percentAt, phases, type RunningPhase } from './phases.ts';

const tail = 20;
const shownWithFailure = 10;
/** Milliseconds between two updates when nothing is new. */
const heartbeat = 10_000;
/** Lines a second that the bridge's log gets; a flood goes to the file alone. */
const mostLines = 50;

/** Marks a line of the file: the bridge's own words, or a program's output. */
const marks = { say: '*', output: '|' } as const;

/** How a run ends: the record's facts, and the answer to the command. */
export interface Ending extends Pick<LoaderRecord, 'phase' | 'result' | 'code' | 'error' | 'next_step'> {
  outcome: Outcome;
}

type Facts = Partial<Pick<LoaderRecord, 'touched' | 'backup' | 'boot_entry' | 'host_key' | 'kind'>>;
type Parts = Pick<JobParts, 'show' | 'line' | 'now' | 'times' | 'key' | 'folder'>;

/**
 * Reports a run: writes its record before each step, its log, and what people see. All of that is redacted.
 */
export class RunLog {
  readonly #parts: Parts;
  readonly #file: LogFile;
  #record: LoaderRecord;
  #loader: Loader;
  #phase: RunningPhase | null = null;
  #known: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isNew = false;
  #shownAt = Number.NEGATIVE_INFINITY;
  #second = { began: 0, lines: 0, left: 0 };
  readonly #beganAt = performance.now();

  constructor(parts: Parts, file: LogFile, record: LoaderRecord, loader: Loader) {
    this.#parts = parts;
    this.#file = file;
    this.#record = record;
    this.#loader = { ...withRecord(loader, record), elapsed: 0, log: [] };
  }

  get record(): LoaderRecord {
    return this.#record;
  }

  hide(words: readonly string[]): void {
    this.#known = [...new Set([...this.#known, ...words])];
  }

  clean(text: string): string {
    return redact(text, this.#known);
  }

  /** Begins a phase. If it rejects, the phase must not begin. */
  async phase(phase: RunningPhase): Promise<void> {
    this.#timer ??= setInterval(() => this.#tick(), this.#parts.times.tell).unref();
    await this.#write({ phase });
    const step = phases[phase].title;
    this.#phase = phase;
    this.say(step);
    this.#change({ percent: percentAt(phase, 0), step }, true);
  }

  /** Writes facts down; they are on the disk when it resolves. */
  async remember(facts: Facts): Promise<void> {
    await this.#write(facts);
    this.#change({}, false);
  }

  step(title: string): void {
    this.say(title);
    this.#change({ step: this.clean(title) }, true);
  }

  readonly progress = (share: number): void => {
    if (!this.#phase) return;
    const percent = Math.max(this.#loader.percent ?? 0, percentAt(this.#phase, share));
    if (percent !== this.#loader.percent) this.#change({ percent }, false);
  };

  readonly say = (words: string): void => {
    for (const line of this.clean(words).split('\n')) void this.#line(line, 'say');
  };

  /** Takes a program's output as it comes; `end` when the program has ended. */
  output(): { push(piece: string): Promise<void> | void; end(): void } {
    const redactor = new Redactor(this.#known);
    const lines = new Lines();
    const tell = (found: readonly string[]) => {
      const waits = found.map(line => this.#line(line, 'output'));
      return waits.at(-1);
    };
    return {
      push: piece => tell(lines.push(redactor.push(piece))),
      end: () => void tell([...lines.push(redactor.end()), ...lines.end()]),
    };
  }

  tail(output: string): string[] {
    const lines = new Lines();
    return [...lines.push(this.clean(output)), ...lines.end()].slice(-shownWithFailure);
  }

  /** Writes the end down, if it can be written, and shows it. */
  async end({ phase, result, code, error, next_step }: Ending): Promise<void> {
    const clean = (text: string | null) => (text === null ? null : this.clean(text));
    const facts = { phase, result, code, error: clean(error), next_step: clean(next_step) };
    this.say([result, code, facts.error, facts.next_step].filter(Boolean).join(': '));
    clearInterval(this.#timer);
    await this.#write({ ...facts, ended_at: this.#parts.now().toISOString() }).catch(() => {});
    await this.#file.end();
    this.#phase = null;
    this.#change({ percent: null, step: null }, true);
  }

  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.#file.end();
  }

  async #write(facts: Partial<LoaderRecord>): Promise<void> {
    this.#record = { ...this.#record, ...facts };
    try {
      await saveRecord(this.#parts.folder, this.#parts.key, this.#record);
    } catch (error) {
      throw unwritable('', error);
    } finally {
      this.#loader = withRecord(this.#loader, this.#record);
    }
  }

  #line(line: string, kind: keyof typeof marks): Promise<void> | void {
    const { now, line: tell } = this.#parts;
    const wait = this.#file[kind](`${now().toISOString()} ${(this.#phase ?? '').padEnd(15)} ${marks[kind]} ${line}`);
    if (this.#mayTell(tell)) tell(line);
    this.#change({ log: [...this.#loader.log, line].slice(-tail) }, false);
    return wait;
  }

  #mayTell(tell: (line: string) => void): boolean {
    const now = performance.now();
    if (now - this.#second.began >= 1_000) {
      if (this.#second.left > 0) tell(`… ${this.#second.left} lines more, which the journal has`);
      this.#second = { began: now, lines: 0, left: 0 };
    }
    const may = this.#second.lines < mostLines;
    if (may) this.#second.lines += 1;
    else this.#second.left += 1;
    return may;
  }

  /** Shows a change at once, or together with what follows in the next moment. */
  #change(change: Partial<Loader>, atOnce: boolean): void {
    this.#loader = { ...this.#loader, ...change };
    this.#isNew = true;
    if (atOnce) this.#show();
    else this.#tick();
  }

  /** Shows nothing before the first phase is written down. */
  #tick(): void {
    if (this.#phase === null) return;
    const since = performance.now() - this.#shownAt;
    if (since >= (this.#isNew ? this.#parts.times.tell : heartbeat)) this.#show();
  }

  #show(): void {
    this.#isNew = false;
    this.#shownAt = performance.now();
    this.#loader = { ...this.#loader, elapsed: Math.round((this.#shownAt - this.#beganAt) / 1_000) };
    this.#parts.show(this.#loader);
  }
}
