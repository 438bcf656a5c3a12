/**
 * Cuts a stream of output into lines that people can read. A progress meter rewrites its line; its last state counts.
 * Part of a loader's build has no line ends, but begins each message with `[#]`, `[!]` or `[-]`.
 */

/** Characters; a longer line becomes several. */
const longest = 400;
const marks = /(?<=[^\s])\s*(?=\[[#!-]\] )/;

export class Lines {
  #rest = '';

  push(text: string): string[] {
    const lines = (this.#rest + text).split('\n').flatMap(line => line.split(marks));
    const rest = lines.pop() ?? '';
    // Only what follows the last carriage return is still visible.
    this.#rest = rest.length > longest ? rest.slice(-longest) : rest;
    const cut = rest.length > longest ? [rest.slice(0, -longest)] : [];
    return [...lines, ...cut].flatMap(finished);
  }

  end(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return finished(rest);
  }
}

function finished(line: string): string[] {
  const seen = line.split('\r').findLast(part => part.trim() !== '') ?? '';
  // Control characters could harm a reader's terminal.
  const text = seen.replaceAll(/\p{Cc}/gu, ' ').trimEnd();
  return text.trim() === '' ? [] : (text.match(new RegExp(`.{1,${longest}}`, 'gu')) ?? []);
}
