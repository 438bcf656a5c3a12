import type { ResponseDocument } from '../commands/responder.ts';
import { isFinal } from './outcome.ts';
import { bar, type Output, StatusLine } from './terminal.ts';

export interface ProgressOptions extends Output {
  json: boolean;
}

/** Shows a command's responses. */
export interface Shown {
  show(response: ResponseDocument): void;
  /** Says something that is no answer. */
  note(text: string): void;
  close(): void;
}

/**
 * Shows a command's responses as they come: JSON lines, or lines for people, with a bar under them on a terminal. The
 * result goes to stdout, the progress to stderr.
 */
export class Progress implements Shown {
  readonly #options: ProgressOptions;
  readonly #bar: StatusLine;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#bar = new StatusLine(options.stderr);
  }

  show(response: ResponseDocument): void {
    const { json, stdout, stderr } = this.#options;
    this.#bar.clear();
    if (json) {
      stdout.write(`${JSON.stringify(response)}\n`);
      return;
    }
    (isFinal(response) ? stdout : stderr).write(`${line(response)}\n`);
    if (response.remaining_ms === null) return;
    const began = performance.now() - response.elapsed_ms;
    const whole = response.elapsed_ms + response.remaining_ms;
    this.#bar.draw(() => {
      const passed = performance.now() - began;
      return `${bar(whole > 0 ? passed / whole : 1)} ${seconds(passed)} of ${seconds(whole)}`;
    });
  }

  note(text: string): void {
    this.#bar.clear();
    this.#options.stderr.write(`${text}\n`);
  }

  close(): void {
    this.#bar.clear();
  }
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
