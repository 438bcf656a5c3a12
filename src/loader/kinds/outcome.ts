import { Plain } from '../../ssh/plain.ts';
import type { Failure, Outcome, OutputTable, Proof, Step } from './adapter.ts';

type Text = Pick<Failure, 'message' | 'advice'>;

export function fatal(code: string, pattern: RegExp, text: Text): Failure {
  return { code, pattern, alone: true, ...text };
}

export function hint(code: string, pattern: RegExp, text: Text): Failure {
  return { code, pattern, alone: false, ...text };
}

/** With any loader. */
export const diskFailed = fatal('disk_failed', /Input\/output error|Read-only file system/, {
  message: 'A disk of the image builder failed while it was read or written.',
  advice: "Look at the host's disk that has the loader's image (`dmesg`), and try again.",
});

/** Characters that a pattern may match. */
const reach = 512;

/** 126 and 127: no such program (POSIX, shell). */
const noProgram = new Set([126, 127]);

/**
 * Whether a step has worked. Exit codes of loaders lie, a part of their output has no line feeds, and good builds print
 * "*** Process will exit ***" too. So a step has failed if its exit code is not one of a good run, if a proof is missing,
 * or if it printed what no good run prints. The table of failures then tells why: by its first row that matches. Reads a
 * stream in pieces and keeps little of it.
 */
export class OutcomeReader {
  readonly #step: Step;
  readonly #table: OutputTable;
  readonly #plain = new Plain();
  #text = '';
  #unread = 0;
  readonly #seen = new Map<RegExp, RegExpExecArray>();

  constructor(step: Step, table: OutputTable) {
    this.#step = step;
    this.#table = table;
  }

  /** From 0 to 1: how far it is, by what it has printed. */
  get share(): number {
    return Math.max(0, ...this.#said(this.#table.marks).map(({ share }) => share));
  }

  take(piece: string): void {
    this.#add(this.#plain.feed(piece));
    if (this.#unread >= reach) this.#read();
  }

  /** `exitCode` null: it ended without one. */
  end(exitCode: number | null): Outcome {
    // Its last line may have no end.
    this.#add(`${this.#plain.end()}\n`);
    this.#read();
    const { forgiven, remarks } = this.#table;
    const isForgiven = forgiven?.steps.test(this.#step.name) && this.#seen.has(forgiven.pattern);
    const trouble = (isForgiven ? null : this.#badExit(exitCode)) ?? this.#unproven();
    const reason = isForgiven ? null : this.#reason(trouble !== null);
    return reason ?? trouble ?? { ok: true, notes: this.#said(remarks).map(({ note }) => note) };
  }

  #add(text: string): void {
    this.#text += text;
    this.#unread += text.length;
  }

  #read(): void {
    const { failures, remarks, marks } = this.#table;
    for (const { pattern } of [...failures, ...this.#step.proofs, ...remarks, ...marks]) {
      const match = this.#seen.has(pattern) ? null : pattern.exec(this.#text);
      if (match) this.#seen.set(pattern, match);
    }
    this.#text = this.#text.slice(-reach);
    this.#unread = 0;
  }

  #said<T extends Pick<Proof, 'pattern'>>(rows: readonly T[]): T[] {
    return rows.filter(({ pattern }) => this.#seen.has(pattern));
  }

  /** `failed`: it is already known that the step failed. Otherwise only a text that no good run prints shows it. */
  #reason(failed: boolean): Outcome | null {
    const said = this.#said(this.#table.failures);
    const [first] = said;
    if (!first || !(failed || said.some(({ alone }) => alone))) return null;
    const { code, message, pattern, advice } = first;
    const named = this.#seen.get(pattern)?.[1]?.trim() ?? '?';
    return { ok: false, code, message: message.replace('$1', () => named), advice };
  }

  #badExit(exitCode: number | null): Outcome | null {
    const { title, exitCodes } = this.#step;
    if (exitCodes === null) return null;
    if (exitCode === null) return failed('no_exit_code', `"${title}" ended without saying how.`);
    if (exitCodes.includes(exitCode)) return null;
    if (!noProgram.has(exitCode)) return failed('exit_code', `"${title}" ended with exit code ${exitCode}.`);
    return failed(
      'no_program',
      `"${title}" could not be started: the loader's files are not where they should be.`,
      this.#table.noProgram,
    );
  }

  #unproven(): Outcome | null {
    const { title, proofs } = this.#step;
    const missing = proofs.filter(({ pattern }) => !this.#seen.has(pattern)).map(({ name }) => name);
    if (missing.length === 0) return null;
    const message = `"${title}" ended without an error, but its output does not show that it worked (${missing.join(', ')}).`;
    return failed('not_proven', message);
  }
}

function failed(code: string, message: string, advice: string | null = null): Outcome {
  return { ok: false, code, message, advice };
}
