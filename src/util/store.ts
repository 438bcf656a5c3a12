import { readFile } from 'node:fs/promises';
import type * as z from 'zod';
import type { Logger } from './logger.ts';
import { replaceFile } from './replace-file.ts';

export interface StoreOptions<T> {
  path: string;
  empty: T;
  /** Of the value in the file, which may have been edited. */
  schema: z.ZodType<T>;
  logger: Logger;
}

/** Written with the value; a file of another version is not read. */
const version = 1;

/**
 * One small JSON file that is replaced as a whole, so that a crash leaves the old one or the new one. If it cannot be
 * read or written, it warns once, and work goes on without it.
 */
export class Store<T> {
  readonly #options: StoreOptions<T>;
  #writing: Promise<void> = Promise.resolve();
  #next: { value: T } | null = null;
  #warned = false;

  constructor(options: StoreOptions<T>) {
    this.#options = options;
  }

  async load(): Promise<T> {
    const { path, empty, schema, logger } = this.#options;
    try {
      const file = JSON.parse(await readFile(path, 'utf8')) as { version?: unknown; value?: unknown } | null;
      const read = schema.safeParse(file?.value);
      if (file?.version === version && read.success) return read.data;
      logger.warn(
        { event: 'store.ignored', path, expected: version },
        'a stored file is of another version or damaged; starting afresh',
      );
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT')
        logger.warn({ event: 'store.unreadable', path, reason: message }, 'a stored file cannot be read');
    }
    return empty;
  }

  /** Written in the background; a newer value may replace it before its turn. See `settled`. */
  save(value: T): void {
    this.#next = { value };
    this.#writing = this.#writing.then(() => this.#writeNext());
  }

  /** Resolves when all that was saved is written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  async #writeNext(): Promise<void> {
    if (!this.#next) return;
    const { value } = this.#next;
    this.#next = null;
    const { path, logger } = this.#options;
    try {
      await replaceFile(path, `${JSON.stringify({ version, value }, null, 2)}\n`);
      this.#warned = false;
    } catch (error) {
      if (this.#warned) return;
      this.#warned = true;
      const { message } = error as Error;
      logger.warn(
        { event: 'store.unwritable', path, reason: message },
        'data_dir cannot be written: this is not remembered over a restart',
      );
    }
  }
}
