import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from './logger.ts';
import { orNull } from './or-null.ts';
import { makeFolder, syncFolder } from './replace-file.ts';

export interface Line {
  /** ISO 8601. */
  at: string;
}

export interface LineFileOptions {
  /** It gets `.jsonl`, and the file before it `.1.jsonl`. */
  path: string;
  logger: Logger;
  /** Bytes after which a new file begins; default 1 MiB. */
  largest?: number;
}

/** Milliseconds after its first line in which a file is written to; then a new one begins. */
export const lineAge = 90 * 24 * 3_600_000;
/** Lines that wait until the file can be written again. */
const mostWaiting = 1_000;

/**
 * JSON lines that are only appended, in a file and the one before it; their age and size are limited. What a crash or a
 * full disk has cut off stays alone on its line. While the file cannot be written, it warns once, and the lines wait.
 */
export class LineFile {
  readonly #options: LineFileOptions;
  #waiting: Line[] = [];
  #writing: Promise<void> = Promise.resolve();
  #warned = false;

  constructor(options: LineFileOptions) {
    this.#options = options;
  }

  /** Written in the background. See `settled`. */
  append(lines: readonly Line[]): void {
    this.#waiting = [...this.#waiting, ...lines].slice(-mostWaiting);
    this.#writing = this.#writing.then(() => this.#write());
  }

  /** Resolves when all is written, or cannot be written now. */
  settled(): Promise<void> {
    this.append([]);
    return this.#writing;
  }

  async #write(): Promise<void> {
    const lines = this.#waiting;
    if (lines.length === 0) return;
    const { path, logger, largest = 2 ** 20 } = this.#options;
    try {
      await appendLines(path, lines, largest);
      this.#waiting = this.#waiting.filter(line => !lines.includes(line));
      this.#warned = false;
    } catch (error) {
      if (this.#warned) return;
      this.#warned = true;
      const fields = { event: 'record.unwritable', path: current(path), reason: (error as Error).message };
      logger.warn(fields, 'the record cannot be written: its new lines wait, and are lost if the bridge ends before');
    }
  }
}

export interface ReadLines {
  /** Whatever JSON they are, the oldest first. */
  lines: unknown[];
  /** The number of lines that are no JSON. */
  unreadable: number;
}

/** Both files. Rejects when one is there and cannot be read. */
export async function readLines(path: string): Promise<ReadLines> {
  const texts = await Promise.all([former(path), current(path)].map(textOf));
  const all = texts.flatMap(text => text.split('\n')).filter(text => text.trim() !== '');
  const lines = all.flatMap(text => parsed(text) ?? []);
  return { lines, unreadable: all.length - lines.length };
}

const current = (path: string) => `${path}.jsonl`;
const former = (path: string) => `${path}.1.jsonl`;

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** In a list, so that it cannot be mistaken for no JSON. */
function parsed(text: string): [unknown] | null {
  return orNull(() => [JSON.parse(text)]);
}

async function appendLines(path: string, lines: readonly Line[], largest: number): Promise<void> {
  const name = current(path);
  const text = lines.map(line => `${JSON.stringify(line)}\n`).join('');
  await makeFolder(dirname(name));
  await using file = await open(name, 'a+', 0o600);
  const { size } = await file.stat();
  if (size > 0 && (size + text.length > largest || isOld(await readAt(file, 0, 512), lines))) {
    await rename(name, former(path));
    return appendLines(path, lines, largest);
  }
  const whole = size === 0 || (await readAt(file, size - 1, 1)) === '\n';
  try {
    await file.appendFile(whole ? text : `\n${text}`);
    await file.sync();
  } catch (error) {
    // A line of which only a part is there, or one that is written again.
    await file.truncate(size).catch(() => {});
    throw error;
  }
  if (size === 0) await syncFolder(dirname(name));
}

async function readAt(file: FileHandle, position: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.toString('utf8', 0, bytesRead);
}

/** Whether the first line of a file is too old for these to follow it. */
function isOld(head: string, [next]: readonly Line[]): boolean {
  const [first] = parsed(head.split('\n', 1)[0] ?? '') ?? [];
  const at = first !== null && typeof first === 'object' && 'at' in first ? Date.parse(`${first.at}`) : Number.NaN;
  return next !== undefined && Date.parse(next.at) - at > lineAge;
}
