/** Text in lines that a terminal can show. Pure. */

const columns = 100;

/**
 * Text (or words that stay whole) in lines of 100 columns, or one word where that is longer. `first` and `rest` stand
 * before the first line and the others, `end` after each but the last.
 */
export function fold(text: string | readonly string[], first = '', rest = first, end = ''): string[] {
  const words = typeof text === 'string' ? text.split(' ') : text;
  const lines: string[] = [];
  let line: string | null = null;
  for (const word of words) {
    if (line === null) line = first + word;
    else if (line.length + 1 + word.length + end.length <= columns) line += ` ${word}`;
    else {
      lines.push(line + end);
      line = rest + word;
    }
  }
  return [...lines, line ?? first].map(each => each.trimEnd());
}

/** A line of shell at its blanks, but not at those within single quotes. */
export function shellWords(line: string): string[] {
  return line.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
}
