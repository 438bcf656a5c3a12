import { Plain } from '../../../ssh/plain.ts';
import type { Judge, Outcome, Step } from '../../adapter.ts';
import { failures } from './failures.ts';

/**
 * Whether a step has done what it is for. Exit codes of rploader.sh lie, a part of its output has no line feeds, and
 * "*** Process will exit ***" is said in good builds too. So the step has failed if its exit code is none of a good run,
 * if a proof is missing, or if it said what no good run says. Then the table of failures tells why: its first entry that
 * was said. Reads a stream in pieces and keeps little of it.
 */

/** Characters that a pattern may match. */
const reach = 512;

/** 126 and 127: no such program (POSIX, shell). */
const noProgram = new Set([126, 127]);

export function judgeStep(step: Step, output: string, exitCode: number | null): Outcome {
  const reader = new OutcomeReader(step);
  reader.take(output);
  return reader.end(exitCode);
}

export class OutcomeReader implements Judge {
  readonly #step: Step;
  readonly #plain = new Plain();
  #text = '';
  #unread = 0;
  readonly #seen = new Map<RegExp, RegExpExecArray>();

  constructor(step: Step) {
    this.#step = step;
  }

  take(piece: string): void {
    this.#add(this.#plain.feed(piece));
    if (this.#unread >= reach) this.#read();
  }

  end(exitCode: number | null): Outcome {
    // Its last line may have no end.
    this.#add(`${this.#plain.end()}\n`);
    this.#read();
    // What one wants to add is there: all is well.
    const trouble = this.#isAlreadyThere() ? this.#unproven() : (this.#badExit(exitCode) ?? this.#unproven());
    return this.#explained(trouble !== null) ?? trouble ?? { ok: true, notes: this.#notes() };
  }

  #add(text: string): void {
    this.#text += text;
    this.#unread += text.length;
  }

  #read(): void {
    const patterns = [...failures, ...this.#step.proofs, ...remarks].map(({ pattern }) => pattern);
    for (const pattern of patterns) {
      const match = this.#seen.has(pattern) ? null : pattern.exec(this.#text);
      if (match) this.#seen.set(pattern, match);
    }
    this.#text = this.#text.slice(-reach);
    this.#unread = 0;
  }

  /** `failed`: that is known already. Else only what no good run says shows it. */
  #explained(failed: boolean): Outcome | null {
    if (this.#isAlreadyThere()) return null;
    const said = failures.filter(({ pattern }) => this.#seen.has(pattern));
    const [first] = said;
    if (!first || !(failed || said.some(({ lies }) => lies))) return null;
    const { code, message, pattern, advice } = first;
    return {
      ok: false,
      code,
      message: message.replace('$1', () => this.#seen.get(pattern)?.[1]?.trim() ?? '?'),
      advice,
    };
  }

  #badExit(exitCode: number | null): Outcome | null {
    const { title, exitCodes } = this.#step;
    if (exitCode === null) {
      return { ok: false, code: 'no_exit_code', message: `"${title}" ended without saying how.`, advice: null };
    }
    if (exitCodes.includes(exitCode)) return null;
    if (noProgram.has(exitCode)) {
      const message = `"${title}" could not be started: the loader's files are not where they should be.`;
      const advice = "Check that the loader's disk is on USB; on another bus it starts without its own files.";
      return { ok: false, code: 'no_program', message, advice };
    }
    return { ok: false, code: 'exit_code', message: `"${title}" ended with exit code ${exitCode}.`, advice: null };
  }

  #unproven(): Outcome | null {
    const missing = this.#step.proofs.filter(({ pattern }) => !this.#seen.has(pattern));
    if (missing.length === 0) return null;
    const names = missing.map(({ name }) => name).join(', ');
    const message = `"${this.#step.title}" ended without an error, but its output does not show that it worked (${names}).`;
    return { ok: false, code: 'not_proven', message, advice: null };
  }

  #notes(): readonly string[] {
    return remarks.filter(({ pattern }) => this.#seen.has(pattern)).map(({ note }) => note);
  }

  /** Its exit code is then 1. In a build the same is said in passing. */
  #isAlreadyThere(): boolean {
    return this.#step.name.startsWith('extension_') && this.#seen.has(alreadyAdded.pattern);
  }
}

const alreadyAdded = { pattern: /Extension is already added/, note: 'An extension was there already.' };

/** What is worth telling of a success. */
const remarks: readonly { pattern: RegExp; note: string }[] = [
  alreadyAdded,
  {
    pattern: /ERROR ! System DATE is not correct/,
    note: "The guest's clock was wrong; the loader has tried to set it.",
  },
  {
    pattern: /removed \/mnt\/\S{1,60}, which was broken/,
    note: "The extractor of DSM's archive in the image's cache was broken. It was removed, and comes anew.",
  },
  {
    pattern: /Recipe file for extension \S{1,80} platform \S{1,40} is logically invalid/,
    note: 'An extension did not come whole at first. The loader fetched it again.',
  },
  {
    pattern: /No adequate space on TCRP loader partition/,
    note: "DSM's archive was not kept in the image's cache: there is too little space.",
  },
  {
    pattern: /WARNING: Bad ports are mapped/,
    note: 'satamap found ports without a device behind them; its map is not the one that is used.',
  },
];
