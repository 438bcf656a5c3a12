import { ImageError } from '../image.ts';

/** GRUB's script language cut into words, as far as a menu's configuration needs it. Pure. */

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

/** A word consists of quoted parts, escapes and other characters; an unclosed quote ends at the end of the text. */
const word = /(?:'[^']*(?:'|$)|"(?:\\.|[^"\\])*(?:["\\]|$)|\\.?|[^\s;'"\\])+/.source;
const token = new RegExp(String.raw`(?<gap>\\\n|[^\S\n]+|#[^\n]*)|(?<end>[\n;])|${word}`, 'gs');

export function statements(script: string): Statement[] {
  const found: Word[][] = [[]];
  for (const { 0: raw, index: start, groups } of script.matchAll(token)) {
    if (groups?.['end'] !== undefined) found.push([]);
    else if (groups?.['gap'] === undefined)
      found.at(-1)?.push({ parts: partsOf(raw), raw, start, end: start + raw.length });
  }
  return found.filter(words => words.length > 0);
}

/** No name is longer. */
const variable = /\$(?:\{(?<braced>\w{1,198}|[?@#*])\}|(?<bare>\w{1,198}|[?@#*]))/.source;
const part = new RegExp(
  String.raw`'(?<single>[^']*)'?|"(?<double>(?:\\.|[^"\\])*\\?)"?|\\(?<escaped>.?)|${variable}|[^'"\\$]+|\$`,
  'gs',
);
/** Between quotes, `\` escapes only a few characters. */
const inQuotes = new RegExp(String.raw`\\(?<escaped>["$\\\n])|${variable}|[^\\$]+|[\\$]`, 'gs');

function partsOf(raw: string, pattern = part): Part[] {
  return [...raw.matchAll(pattern)].flatMap(({ 0: text, groups = {} }): Part | Part[] => {
    const { single, double, escaped, braced, bare } = groups;
    if (double !== undefined) return partsOf(double, inQuotes);
    const name = braced ?? bare;
    if (name !== undefined) return { variable: name };
    return { text: single ?? (escaped === '\n' ? '' : (escaped ?? text)) };
  });
}

/** Characters of a value: a script could double a value with each line. */
const longest = 4_096;

/** Throws `no_grub` when it is too long. */
export function expand({ parts }: Word, variables: ReadonlyMap<string, string>): string {
  let value = '';
  for (const each of parts) {
    value += 'text' in each ? each.text : (variables.get(each.variable) ?? '');
    if (value.length > longest) {
      throw new ImageError('no_grub', `a value in the boot menu’s grub.cfg has more than ${longest} characters`);
    }
  }
  return value;
}
