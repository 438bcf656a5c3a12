import type { DestinationStream } from 'pino';
import { inTime } from './deadline.ts';

/**
 * Log lines on a stream whose reader may stop reading, or be gone: nothing ever waits for it. Beyond `limit` characters
 * that nobody has read, lines are dropped and counted. `dropped` gets the count when lines go out again.
 */

/** The part of a `Writable` in use: of standard output, mostly. */
interface Output {
  readonly writableLength: number;
  write(text: string, written: (error?: Error | null) => void): unknown;
  on(event: 'error', listener: () => void): unknown;
}

/** Node makes a terminal block; see `tty.WriteStream`. */
interface Terminal {
  isTTY?: boolean;
  _handle?: { setBlocking?(blocking: boolean): void };
}

export class LogWriter implements DestinationStream {
  readonly #output: Output;
  readonly #dropped: (lines: number) => void;
  readonly #limit: number;
  #full = false;
  #lost = 0;

  constructor(output: Output & Terminal, dropped: (lines: number) => void, limit = 1024 ** 2) {
    this.#output = output;
    this.#dropped = dropped;
    this.#limit = limit;
    // Each failed write says the same to its own callback.
    output.on('error', () => {});
    if (output.isTTY) output._handle?.setBlocking?.(false);
  }

  write(line: string): void {
    this.#full ||= this.#output.writableLength + line.length > this.#limit;
    if (this.#full) this.#lost += 1;
    else this.#output.write(line, error => this.#written(error));
  }

  /** Resolves when all lines are out, or cannot be, or after so many milliseconds. */
  async flush(patience: number): Promise<void> {
    const written = new Promise<void>(resolve => this.#output.write('', () => resolve()));
    await inTime(written, patience, undefined);
  }

  #written(error: Error | null | undefined): void {
    if (error) this.#lost += 1;
    // Not before the last of them is out: then the gap is in one place.
    else if (this.#output.writableLength === 0) {
      this.#full = false;
      const lines = this.#lost;
      this.#lost = 0;
      if (lines > 0) this.#dropped(lines);
    }
  }
}
