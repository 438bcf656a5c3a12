import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { loaderPhases, loaderResults } from '../../model/loader.ts';
import type { VmKey } from '../../model/snapshot.ts';
import { replaceFile } from '../../util/replace-file.ts';
import { LogFile } from './log-file.ts';

/**
 * What must be known of a rebuild even after a kill -9: a record, on the disk before what it tells of is done, and
 * beside it all that was said, line by line. Neither has a serial number, a MAC or a password.
 */

const text = z.string();
const time = z.iso.datetime({ offset: true });
const backup = z.object({ file: text, at: time, size: z.number() });

/**
 * How far the image on the disk may be from what it was: `menu`: only what its menu starts next; `building`: anything;
 * `built`: another one, and whole.
 */
const touches = ['no', 'menu', 'building', 'built'] as const;
export type Touched = (typeof touches)[number];

const schema = z.object({
  version: z.literal(1),
  word: z.enum(['rebuild', 'rollback']),
  phase: z.enum(loaderPhases),
  started_at: time,
  ended_at: time.nullable(),
  result: z.enum(loaderResults).nullable(),
  code: text.nullable(),
  error: text.nullable(),
  next_step: text.nullable(),
  /** Whose loader it is. */
  uuid: text,
  touched: z.enum(touches),
  /** Of the image before this was begun. */
  backup: backup.nullable(),
  boot_entry: text.nullable(),
  /** What the loader was to be for. */
  model: text,
  dsm: text,
  /** What was running before; null: it was off, or nobody knows. */
  verdict: text.nullable(),
  /** Of the image builder, at its latest boot. */
  host_key: text.nullable(),
  /** Name of the file that has all that was said. */
  log: text,
});
export type LoaderRecord = z.infer<typeof schema>;

/** Logs that stay, the new one among them. */
const keptLogs = 10;

export class Journal {
  readonly #folder: string;
  readonly #key: VmKey;
  #log: LogFile | null = null;

  constructor(folder: string, key: VmKey) {
    this.#folder = folder;
    this.#key = key;
  }

  /** Where the log of a run is. */
  path(log: string): string {
    return join(this.#folder, log);
  }

  /** What is known of the latest run; null: there was none. `damaged`: there was one, and nobody can tell. */
  async load(): Promise<LoaderRecord | 'damaged' | null> {
    try {
      return schema.safeParse(JSON.parse(await readFile(this.#record, 'utf8'))).data ?? 'damaged';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : 'damaged';
    }
  }

  /** On the disk when it resolves. Rejects when it cannot be written: then nothing may be done that it would tell of. */
  async write(record: LoaderRecord): Promise<void> {
    await replaceFile(this.#record, `${JSON.stringify(record, null, 2)}\n`);
  }

  /** Begins the log of a run; resolves to its name. Rejects when it cannot be written. */
  async begin(at: Date): Promise<string> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const name = `${this.#key}-${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}.log`;
    this.#log = await LogFile.open(this.path(name));
    await this.#rotate();
    return name;
  }

  /** One line of the log, with its time: the bridge's own words, or a program's output. Resolves when there is room for more. */
  line(at: Date, words: string, kind: 'say' | 'output'): Promise<void> | void {
    return this.#log?.[kind](`${at.toISOString()} ${words}`);
  }

  async end(): Promise<void> {
    const log = this.#log;
    this.#log = null;
    await log?.end();
  }

  get #record(): string {
    return join(this.#folder, `${this.#key}.json`);
  }

  async #rotate(): Promise<void> {
    const rest = /^-\d{8}T\d{6}Z\.log$/;
    const names = await readdir(this.#folder);
    const ours = names.filter(name => name.startsWith(this.#key) && rest.test(name.slice(this.#key.length))).sort();
    for (const name of ours.slice(0, -keptLogs)) await rm(this.path(name), { force: true });
  }
}
