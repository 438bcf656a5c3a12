import { Plain } from '../ssh/plain.ts';

/**
 * Removes serial numbers and MACs from a loader's output before it goes to a topic, a log or the journal: in words
 * (`Serial Number for Model = …`), on command lines (`sn=… mac1=…`), in JSON, and alone. It removes too much rather than
 * too little: any twelve hex digits count as a MAC. It also removes colours, because one could hide a number.
 */

const masks = { serial: '[serial]', mac: '[mac]', known: '[hidden]' } as const;

const reach = 160;

/** A value in quotes or up to the next blank; more than any serial number or MAC has. */
const value = `(?:"[^"\\n]{0,64}"|'[^'\\n]{0,64}'|[^\\s"',;}]{1,64})`;
const is = `["']?\\s{0,4}[=:]\\s{0,4}`;

const pair = '[0-9A-Fa-f]{2}';
const before = '(?<![0-9A-Za-z])';
const uuid = `(?:${pair}){4}-(?:${pair}){2}-[2-8][0-9A-Fa-f]${pair}-(?:${pair}){2}-(?:${pair}){6}(?![0-9A-Za-z-])`;

/**
 * Patterns and what comes in the place of a match, but for its first group. Each match ends within `reach`, and looks no
 * further than one character beyond it. Names before shapes, because a value may have any.
 */
const rules: readonly (readonly [pattern: string, mask: string])[] = [
  // A UUID is no secret. One of version 1 has a MAC.
  [`(${before}${uuid})`, ''],
  // What stays is shorter than any serial number or MAC.
  [`((?i:serial ?number(?: for model(?: {1,2}[a-z][0-9a-z+]{0,10})?)?)${is})${value}`, masks.serial],
  [`(${before}(?i:sn)${is})${value}`, masks.serial],
  [`(${before}(?i:mac)\\d?${is})${value}`, masks.mac],
  [`()(?:${pair}[:-]){5,31}${pair}`, masks.mac],
  ['()(?<![0-9A-Fa-f])[0-9A-Fa-f]{12}(?![0-9A-Fa-f])', masks.mac],
  // Thirteen characters: four digits, three of the model, six of the unit (serialgen).
  [`()${before}\\d{4}(?=\\d{0,2}[A-Z])[0-9A-Z]{9}(?![0-9A-Za-z])`, masks.serial],
];

const named = /(?<![0-9A-Za-z])(?:sn|mac\d?)["']?\s?[=:]\s?["']?([0-9A-Za-z:.-]{6,64})/gi;

/** Serial numbers and MACs by their names, as in a kernel's command line and in loaders' files. */
export function namedValues(text: string): string[] {
  return [...text.matchAll(named)].map(([, value = '']) => value);
}

/** `known`: words to remove whatever they look like, such as the serial number in use. */
export function redact(text: string, known: readonly string[] = []): string {
  const redactor = new Redactor(known);
  return redactor.push(text) + redactor.end();
}

/** The same for a stream. It holds back a few hundred characters, in which a match could still begin or continue. */
export class Redactor {
  readonly #plain = new Plain();
  readonly #pattern: RegExp;
  readonly #reach: number;
  /** Its first character is already out; a pattern may look back at it. */
  #text = '';
  #given = 0;

  constructor(known: readonly string[] = []) {
    const words = known.filter(word => word.length >= 4);
    const all = [...rules.map(([pattern]) => pattern), ...words.map(word => `()${anyCase(word)}`)];
    this.#pattern = new RegExp(all.join('|'), 'g');
    this.#reach = Math.max(reach, ...words.map(word => word.length)) + 1;
  }

  push(piece: string): string {
    return this.#take(this.#plain.feed(piece), false);
  }

  end(): string {
    return this.#take(this.#plain.end(), true);
  }

  #take(piece: string, last: boolean): string {
    this.#text += piece;
    // A match that begins before this place is complete, with the character after it.
    const settled = last ? this.#text.length : this.#text.length - this.#reach;
    let told = '';
    let at = this.#given;
    this.#pattern.lastIndex = at;
    for (const match of this.#text.matchAll(this.#pattern)) {
      if (match.index >= settled) break;
      const nth = match.slice(1).findIndex(group => group !== undefined);
      told += this.#text.slice(at, match.index) + (match[nth + 1] ?? '') + (rules[nth]?.[1] ?? masks.known);
      at = match.index + match[0].length;
    }
    if (at < settled) {
      told += this.#text.slice(at, settled);
      at = settled;
    }
    const context = Math.max(0, at - 1);
    this.#text = this.#text.slice(context);
    this.#given = at - context;
    return told;
  }
}

function anyCase(word: string): string {
  return `(?i:${word.replaceAll(/[^0-9A-Za-z]/g, String.raw`\$&`)})`;
}
