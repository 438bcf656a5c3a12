import type { DestinationStream } from 'pino';
import { inTime } from './deadline.ts';

/**
 * Writes log lines to a stream whose reader may stop reading, or be gone, and never waits. Beyond `limit` unread
 * characters it drops and counts lines. `dropped` gets the count when lines are written again.
 */

/** The part of a `Writable` that this uses, usually of standard output. */
interface Output {
  readonly writableLength: number;
  write(text: string, written: (error?: Error | null) => void): unknown;
  on(event: 'error', listener: () => void): unknown;
}

/** On a terminal, Node's writes block; see `tty.WriteStream`. */
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
    // Each failed write also reports the error to its own callback.
    output.on('error', () => {});
    if (output.isTTY) output._handle?.setBlocking?.(false);
  }

  write(line: string): void {
    this.#full ||= this.#output.writableLength + line.length > this.#limit;
    if (this.#full) this.#lost += 1;
    else this.#output.write(line, error => this.#written(error));
  }

  /** Resolves when all lines are written, or cannot be, or after so many milliseconds. */
  async flush(patience: number): Promise<void> {
    const written = new Promise<void>(resolve => this.#output.write('', () => resolve()));
    await inTime(written, patience, undefined);
  }

  #written(error: Error | null | undefined): void {
    if (error) this.#lost += 1;
    // Waits until the last line is written: then the gap is in one place.
    else if (this.#output.writableLength === 0) {
      this.#full = false;
      const lines = this.#lost;
      this.#lost = 0;
      if (lines > 0) this.#dropped(lines);
    }
  }
}
