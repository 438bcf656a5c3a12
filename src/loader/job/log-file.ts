import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { VmKey } from '../../model/snapshot.ts';
import { makeFolder } from '../../util/replace-file.ts';

/**
 * The log of a run, of limited length. Beyond the limit it drops a program's output, except the last lines before the
 * bridge's own next words, and says how many lines are missing.
 */

/** Bytes. A build says less than one MiB. */
const longest = 16 * 1024 ** 2;
/** Lines of output that are kept beyond that. */
const tail = 200;
const keptLogs = 10;

/** Begins the log of a run, and removes the oldest ones. Rejects when it cannot be written. */
export async function beginLog(folder: string, key: VmKey, at: Date): Promise<{ name: string; log: LogFile }> {
  await makeFolder(folder);
  const name = `${key}-${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}.log`;
  const log = await LogFile.open(join(folder, name));
  const rest = /^-\d{8}T\d{6}Z\.log$/;
  const names = await readdir(folder);
  const ours = names.filter(each => each.startsWith(key) && rest.test(each.slice(key.length))).sort();
  for (const old of ours.slice(0, -keptLogs)) await rm(join(folder, old), { force: true });
  return { name, log };
}

export class LogFile {
  readonly #stream: WriteStream;
  readonly #longest: number;
  #bytes = 0;
  #tail: string[] = [];
  #left = 0;
  /** Resolves when the file has kept up; null: it does. */
  #room: Promise<void> | null = null;
  readonly #over = new AbortController();

  private constructor(stream: WriteStream, most: number) {
    this.#stream = stream;
    this.#longest = most;
    // A run goes on without its log.
    stream.on('error', () => {}).once('close', () => this.#over.abort());
  }

  static async open(path: string, most = longest): Promise<LogFile> {
    const stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
    await once(stream, 'open');
    return new LogFile(stream, most);
  }

  /** The bridge's own words: always written. Resolves when there is room for more. */
  say(line: string): Promise<void> | void {
    this.#writeTail();
    return this.#write(line);
  }

  output(line: string): Promise<void> | void {
    if (this.#bytes < this.#longest) return this.#write(line);
    this.#tail.push(line);
    if (this.#tail.length <= tail) return;
    this.#tail.shift();
    this.#left += 1;
  }

  async end(): Promise<void> {
    this.#writeTail();
    await finished(this.#stream.end()).catch(() => {});
  }

  #writeTail(): void {
    const gap = this.#left > 0 ? [`… ${this.#left} lines are left out here: the log is long enough`] : [];
    const lines = [...gap, ...this.#tail];
    if (lines.length > 0) void this.#write(lines.join('\n'));
    this.#tail = [];
    this.#left = 0;
  }

  #write(line: string): Promise<void> | void {
    if (this.#stream.destroyed) return;
    const text = `${line}\n`;
    this.#bytes += Buffer.byteLength(text);
    if (this.#stream.write(text)) return;
    // One for all who wait.
    this.#room ??= once(this.#stream, 'drain', { signal: this.#over.signal })
      .catch(() => {})
      .then(() => {
        this.#room = null;
      });
    return this.#room;
  }
}
