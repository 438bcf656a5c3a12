/**
 * A stream of output as lines that people can read. Programs that paint a progress meter go back to the line's
 * beginning: what stands there in the end is the line. A part of a loader's build has no line ends at all, but begins
 * each message with `[#]`, `[!]` or `[-]`.
 */

/** Characters; a longer line is told in pieces. */
const longest = 400;
const marks = /(?<=[^\s])\s*(?=\[[#!-]\] )/;

export class Lines {
  #rest = '';

  push(text: string): string[] {
    const lines = (this.#rest + text).split('\n').flatMap(line => line.split(marks));
    const rest = lines.pop() ?? '';
    // Only what is after the last return can still be seen.
    this.#rest = rest.length > longest ? rest.slice(-longest) : rest;
    const cut = rest.length > longest ? [rest.slice(0, -longest)] : [];
    return [...lines, ...cut].flatMap(finished);
  }

  /** What has no end yet. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return finished(rest);
  }
}

function finished(line: string): string[] {
  const seen = line.split('\r').findLast(part => part.trim() !== '') ?? '';
  // Control characters could do harm on whoever's screen it is shown.
  const text = seen.replaceAll(/\p{Cc}/gu, ' ').trimEnd();
  return text.trim() === '' ? [] : (text.match(new RegExp(`.{1,${longest}}`, 'gu')) ?? []);
}
