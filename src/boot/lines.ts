import { namedValues, Redactor } from '../loader/redact.ts';
import { Plain } from '../ssh/plain.ts';

/**
 * Turns what comes from a serial console, cut anywhere, into lines of plain text without serial numbers and MACs. What
 * comes may be anything: lines have a limit, and bytes that are no text are left out.
 */

/** Characters of a line, and of one before its control sequences are removed. */
const longest = 300;
const longestRaw = 8_192;
const mostKnown = 32;

const esc = String.fromCharCode(27);
/** Menus are painted line by line, without line ends. */
const elsewhere = new RegExp(String.raw`${esc}\[\d*;\d*[Hf]`, 'g');
/** To another column, or another set of characters: what follows begins a word. */
const aside = new RegExp(String.raw`${esc}(?:\[\d*[CG]|[()][0-9A-B])`, 'g');
const noText = /[^\P{C}\t]+|\uFFFD+/gu;
/** Comes before the rest of a number that was cut off; no text. */
const mark = '\uE000';
const rest = new RegExp(`^${mark}[\\w:-]*`);
/** What may be the beginning of a number, or still the middle. */
const cutOff = new RegExp(`(?:^${mark}|(?<![\\w:-])(?=[a-z_:-]*\\d)(?=.{4}))[\\w:-]*$`, 'i');

export class Lines {
  readonly #decoder = new TextDecoder();
  readonly #known: Set<string>;
  #redactor: Redactor;
  #partial = '';

  /** `known`: words to remove whatever they look like. */
  constructor(known: readonly string[] = []) {
    this.#known = new Set(known);
    this.#redactor = new Redactor(known);
  }

  /** The lines that are complete. */
  push(bytes: Buffer): string[] {
    const text = this.#partial + this.#decoder.decode(bytes, { stream: true });
    const lines = text.replaceAll(elsewhere, '\n').replaceAll(aside, ' ').split('\n');
    // What a carriage return has begun anew is not kept. The one before a line end stays until that comes.
    const partial = lines.pop() ?? '';
    this.#partial = partial.slice(partial.lastIndexOf('\r', partial.length - 2) + 1).slice(0, longestRaw);
    return this.#clean(lines);
  }

  /** What has no line end yet, without a number that may go on. */
  end(): string[] {
    const line = this.#partial.replace(cutOff, '');
    this.#partial = line === this.#partial ? '' : mark;
    return this.#clean([line]);
  }

  #clean(raw: readonly string[]): string[] {
    const lines = raw.map(line => line.replace(/\r+$/, ''));
    const text = lines.map(line => `${plain(line.slice(line.lastIndexOf('\r') + 1).slice(0, longestRaw))}\n`).join('');
    this.#learn(text);
    const told = this.#redactor.push(text) + this.#redactor.end();
    // Not half a character either.
    return told.split('\n').flatMap(
      line =>
        line
          .trim()
          .slice(0, longest)
          .replace(/[\uD800-\uDBFF]$/, '') || [],
    );
  }

  /** What a kernel's command line names is hidden from then on, wherever it comes. */
  #learn(text: string): void {
    const before = this.#known.size;
    for (const value of namedValues(text)) if (this.#known.size < mostKnown) this.#known.add(value);
    if (this.#known.size > before) this.#redactor = new Redactor([...this.#known]);
  }
}

/** Bytes that are no text could hide a number: they go before it is looked for. */
function plain(line: string): string {
  const sequences = new Plain();
  const text = sequences.feed(line.replace(rest, '')) + sequences.end();
  return text.replaceAll(noText, '');
}
