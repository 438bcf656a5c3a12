import { ImageError } from '../errors.ts';

/** GRUB's script language cut into words, as far as a menu's configuration needs it. Pure. */

/** What a word is made of: text as it is, or the value of a variable. */
type Part = { readonly text: string } | { readonly variable: string };

export interface Word {
  readonly parts: readonly Part[];
  /** As it is written; its place in the text. */
  readonly raw: string;
  readonly start: number;
  readonly end: number;
}

/** Words up to a line's end or a semicolon. */
export type Statement = readonly Word[];

export function statements(script: string): Statement[] {
  const found: Statement[] = [];
  let words: Word[] = [];
  let at = 0;
  const close = () => {
    if (words.length > 0) found.push(words);
    words = [];
  };
  while (at < script.length) {
    const character = script[at] ?? '';
    if (character === '\n' || character === ';') {
      close();
      at += 1;
    } else if (/\s/.test(character)) at += 1;
    else if (character === '\\' && script[at + 1] === '\n') at += 2;
    else if (character === '#') at = lineEnd(script, at);
    else {
      const word = readWord(script, at);
      words.push(word);
      at = word.end;
    }
  }
  close();
  return found;
}

/** Characters of a value. A script could double one with each line. */
const longest = 4_096;

/** Throws `no_grub` when it is too long. */
export function expand(word: Word, variables: ReadonlyMap<string, string>): string {
  let value = '';
  for (const part of word.parts) {
    value += 'text' in part ? part.text : (variables.get(part.variable) ?? '');
    if (value.length > longest) {
      throw new ImageError('no_grub', `a value in the boot menu’s grub.cfg has more than ${longest} characters`);
    }
  }
  return value;
}

/** No name is longer. */
const variableAt = /\$(?:\{(\w{1,198}|[?@#*])\}|(\w{1,198}|[?@#*]))/y;

function readWord(script: string, start: number): Word {
  const parts: Part[] = [];
  let at = start;
  let quoted = false;
  while (at < script.length) {
    const character = script[at] ?? '';
    if (quoted ? character === '"' : /[\s;]/.test(character)) {
      if (!quoted) break;
      quoted = false;
      at += 1;
    } else if (character === '"') {
      quoted = true;
      at += 1;
    } else if (character === "'" && !quoted) {
      const end = script.indexOf("'", at + 1);
      const stop = end === -1 ? script.length : end;
      parts.push({ text: script.slice(at + 1, stop) });
      at = stop + 1;
    } else if (character === '\\') {
      // Between quotes it takes away the meaning of a few characters only.
      const next = script[at + 1] ?? '';
      if (next !== '\n') parts.push({ text: quoted && !/["$\\]/.test(next) ? `\\${next}` : next });
      at += 2;
    } else {
      variableAt.lastIndex = at;
      const [, braced, bare] = variableAt.exec(script) ?? [];
      const variable = braced ?? bare;
      parts.push(variable === undefined ? { text: character } : { variable });
      at += variable === undefined ? 1 : variable.length + (braced === undefined ? 1 : 3);
    }
  }
  const end = Math.min(at, script.length);
  return { parts, raw: script.slice(start, end), start, end };
}

function lineEnd(script: string, at: number): number {
  const end = script.indexOf('\n', at);
  return end === -1 ? script.length : end;
}
