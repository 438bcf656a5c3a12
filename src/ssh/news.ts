/**
 * Finds news in a command's output: a sign of progress. The meter of a stalled download still writes a line a second,
 * and a spinner turns. So a line counts without its times, speeds and drawings, and only if none of the last lines was
 * the same. A line that grows is news: GNU wget's dots are its progress.
 */

/** Of the last lines; a spinner has fewer faces. */
const most = 64;
const longest = 1_024;

const figure = String.raw`[\d.-]+[kKMGTP]?`;
/** Percent and size of all, of what was received, of what was sent; then speeds and times (curl(1), "PROGRESS METER"). */
const curl = new RegExp(
  String.raw`^\s*(\d+\s+(${figure})\s+\d+\s+(${figure})\s+\d+\s+${figure})(?:\s[\d:.kKMGTPdh\s-]*)?$`,
);
const speed = /(?:\d[\d.,]{0,15}|-{1,4}\.-{1,4})\s?[kKMGTP]?i?(?:[Bb](?:its?|ytes?)?)?\/s(?:ec)?/g;
/** `0:04:50`, `--:--:--`, `4m 40s`, `12.3 seconds` */
const time =
  /[\d-]{1,4}(?::[\d-]{2}){1,2}|\b\d{1,9}(?:\.\d{1,9})?\s?(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)\b/g;
/** At the end of an unfinished line: what may become a speed or a time. */
const begun = /[\d-][\d:.-]{0,15}\s?[A-Za-z/]{0,8}$/;
const url = /\bhttps?:\/\/(?:[^\s/@]{0,80}@)?([\w.-]{1,253})/g;

export class News {
  readonly #said: string[] = [];
  #line = '';
  /** The line overwrites another one, so it counts only when it is complete. */
  #over = false;
  #grown = '';
  /** The last line, if it overwrote another one or was no news. */
  #meter = '';
  #host: string | null = null;

  /** The last state of a progress meter, as `12.4M of 341M`; null: the last line was none. */
  get stands(): string | null {
    return told(this.#over && essence(this.#line) !== '' ? this.#line : this.#meter);
  }

  get host(): string | null {
    return this.#host;
  }

  /** Takes plain output, cut anywhere; returns whether any of it is news. */
  feed(output: string): boolean {
    // Line ends, carriage returns and backspaces have the odd indexes.
    const parts = (this.#line + output).split(/([\r\n\b])/);
    let news = false;
    for (let at = Math.max(0, parts.length - 1 - 2 * most); at < parts.length - 1; at += 2) {
      if (this.#ends((parts[at] ?? '').slice(-longest))) news = true;
      this.#over = parts[at + 1] !== '\n';
    }
    this.#line = (parts.at(-1) ?? '').slice(-longest);
    return ((!this.#over || this.#line.length === longest) && this.#grows()) || news;
  }

  #ends(line: string): boolean {
    this.#look(line);
    const says = essence(line);
    this.#grown = '';
    if (says === '') return false;
    const old = this.#said.includes(says);
    this.#meter = old || this.#over ? line : '';
    if (old) return false;
    this.#said.push(says);
    if (this.#said.length > most) this.#said.shift();
    return true;
  }

  #grows(): boolean {
    this.#look(this.#line);
    const says = essence(this.#line.replace(begun, ''));
    if (says === this.#grown) return false;
    this.#grown = says;
    return !this.#said.some(line => line.startsWith(says));
  }

  #look(line: string): void {
    this.#host = [...line.matchAll(url)].at(-1)?.[1] ?? this.#host;
  }
}

/** The part of a line that shows progress; empty: none. */
function essence(line: string): string {
  return lasting(line).replace(/[^\p{L}\p{N}.%]+/gu, '');
}

function lasting(line: string): string {
  return curl.exec(line)?.[1] ?? line.replace(speed, '').replace(time, '');
}

/** The same for people; null without figures. */
function told(line: string): string | null {
  const [, , all, received] = curl.exec(line) ?? [];
  if (all !== undefined) return /[1-9]/.test(all) ? `${received} of ${all}` : `${received}`;
  const text = lasting(line)
    .replace(/[^\p{L}\p{N}.,%/()-]+/gu, ' ')
    .trim();
  return /\d/.test(text) ? text.slice(0, 80) : null;
}
