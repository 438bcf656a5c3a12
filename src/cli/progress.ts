import type { ResponseDocument } from '../commands/responder.ts';
import { bar, isFinal, StatusLine, type Takes } from './terminal.ts';

export type ProgressOptions = Takes<'json'>;

/**
 * Shows a command's responses as they come: JSON lines, or lines for people, with a bar under them on a terminal. The
 * result goes to stdout, the progress to stderr.
 */
export class Progress {
  protected readonly options: ProgressOptions;
  protected readonly bar: StatusLine;

  constructor(options: ProgressOptions) {
    this.options = options;
    this.bar = new StatusLine(options.stderr);
  }

  show(response: ResponseDocument): void {
    const { stdout, stderr } = this.options;
    if (this.asJson(response)) return;
    this.close();
    (isFinal(response) ? stdout : stderr).write(`${line(response)}\n`);
    if (response.remaining_ms === null) return;
    const began = performance.now() - response.elapsed_ms;
    const whole = response.elapsed_ms + response.remaining_ms;
    this.bar.draw(() => {
      const passed = performance.now() - began;
      return `${bar(whole > 0 ? passed / whole : 1)} ${seconds(passed)} of ${seconds(whole)}`;
    });
  }

  /** Says something that is no answer. */
  note(text: string): void {
    this.close();
    this.options.stderr.write(`${text}\n`);
  }

  close(): void {
    this.bar.clear();
  }

  /** Prints it as JSON, if that is wanted. */
  protected asJson(document: object): boolean {
    const { json, stdout } = this.options;
    if (json) stdout.write(`${JSON.stringify(document)}\n`);
    return json;
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
