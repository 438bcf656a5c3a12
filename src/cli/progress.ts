import type { ResponseDocument } from '../commands/responder.ts';
import { isFinal } from './outcome.ts';

interface Terminal {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface ProgressOptions {
  json: boolean;
  stdout: Terminal;
  stderr: Terminal;
}

const width = 24;

/**
 * Shows a command's answers as they come: JSON lines, or lines for people, with a bar under them on a terminal. What
 * it came to goes to stdout, the way there to stderr.
 */
export class Progress {
  readonly #options: ProgressOptions;
  #ticker: NodeJS.Timeout | undefined;
  #bar = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  show(response: ResponseDocument): void {
    const { json, stdout, stderr } = this.#options;
    clearInterval(this.#ticker);
    this.#clear();
    if (json) stdout.write(`${JSON.stringify(response)}\n`);
    else (isFinal(response) ? stdout : stderr).write(`${line(response)}\n`);
    if (response.remaining_ms === null || json || !stderr.isTTY) return;
    const began = performance.now() - response.elapsed_ms;
    const ends = performance.now() + response.remaining_ms;
    const draw = () => this.#draw(performance.now() - began, ends - began);
    draw();
    this.#ticker = setInterval(draw, 1_000);
  }

  /** Says something that is no answer. */
  note(text: string): void {
    this.#clear();
    this.#options.stderr.write(`${text}\n`);
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#clear();
  }

  #draw(passed: number, whole: number): void {
    const share = whole > 0 ? passed / whole : 1;
    this.#options.stderr.write(`\r\u001b[K${bar(share)} ${seconds(passed)} of ${seconds(whole)}`);
    this.#bar = true;
  }

  #clear(): void {
    if (this.#bar) this.#options.stderr.write('\r\u001b[K');
    this.#bar = false;
  }
}

/** `share`: from 0 to 1. */
export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}

export function line({ command, status, code, message, elapsed_ms, remaining_ms }: ResponseDocument): string {
  const what = status === code ? status : `${status}/${code}`;
  const time = remaining_ms === null ? `after ${seconds(elapsed_ms)}` : `${seconds(remaining_ms)} left`;
  return `${command ?? 'command'} ${what}, ${time}: ${message}`;
}

function seconds(milliseconds: number): string {
  const whole = milliseconds / 1_000;
  return `${whole < 10 ? whole.toFixed(1) : Math.round(whole)} s`;
}
