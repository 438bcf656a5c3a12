import { Plain } from '../../../ssh/plain.ts';
import type { Judge, Outcome, Step } from '../../adapter.ts';
import { failures } from './failures.ts';

/** Characters that a pattern may match. */
const reach = 512;

/** 126 and 127: no such program (POSIX, shell). */
const noProgram = new Set([126, 127]);

/**
 * Whether a step has worked. Exit codes of rploader.sh lie, a part of its output has no line feeds, and good builds
 * print "*** Process will exit ***" too. So a step has failed if its exit code is not one of a good run, if a proof is
 * missing, or if it printed what no good run prints. The table of failures then tells why: by its first row that
 * matches. Reads a stream in pieces and keeps little of it.
 */
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
    // The extension to add exists already: all is well, though the exit code is 1. A build also prints this.
    const there = this.#step.name.startsWith('extension_') && this.#seen.has(alreadyAdded.pattern);
    const trouble = (there ? null : this.#badExit(exitCode)) ?? this.#unproven();
    const reason = there ? null : this.#reason(trouble !== null);
    return reason ?? trouble ?? { ok: true, notes: this.#said(remarks).map(({ note }) => note) };
  }

  #add(text: string): void {
    this.#text += text;
    this.#unread += text.length;
  }

  #read(): void {
    for (const { pattern } of [...failures, ...this.#step.proofs, ...remarks]) {
      const match = this.#seen.has(pattern) ? null : pattern.exec(this.#text);
      if (match) this.#seen.set(pattern, match);
    }
    this.#text = this.#text.slice(-reach);
    this.#unread = 0;
  }

  #said<T extends { pattern: RegExp }>(rows: readonly T[]): T[] {
    return rows.filter(({ pattern }) => this.#seen.has(pattern));
  }

  /** `failed`: it is already known that the step failed. Otherwise only a text that no good run prints shows it. */
  #reason(failed: boolean): Outcome | null {
    const said = this.#said(failures);
    const [first] = said;
    if (!first || !(failed || said.some(({ alone }) => alone))) return null;
    const { code, message, pattern, advice } = first;
    const named = this.#seen.get(pattern)?.[1]?.trim() ?? '?';
    return { ok: false, code, message: message.replace('$1', () => named), advice };
  }

  #badExit(exitCode: number | null): Outcome | null {
    const { title, exitCodes } = this.#step;
    if (exitCode === null) return failed('no_exit_code', `"${title}" ended without saying how.`);
    if (exitCodes.includes(exitCode)) return null;
    if (!noProgram.has(exitCode)) return failed('exit_code', `"${title}" ended with exit code ${exitCode}.`);
    return failed(
      'no_program',
      `"${title}" could not be started: the loader's files are not where they should be.`,
      "Check that the loader's disk is on USB; on another bus it starts without its own files.",
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

const alreadyAdded = { pattern: /Extension is already added/, note: 'An extension was there already.' };

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
