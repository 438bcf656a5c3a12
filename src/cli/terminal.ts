import type { ResponseDocument } from '../commands/responder.ts';

/** Where the verbs write, what they write there alike, and how they end. */

export interface Terminal {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface Output {
  stdout: Terminal;
  stderr: Terminal;
}

export type Input = NodeJS.ReadableStream & { isTTY?: boolean };

/** What the program gives a verb, if it is among its arguments and options. */
interface Call extends Output {
  /** Key or name. */
  vm: string;
  json: boolean;
  /** Without asking. */
  yes: boolean;
  stdin: Input;
  signal: AbortSignal;
}

/** The streams to write to, and these. */
export type Takes<K extends keyof Call> = Pick<Call, K | keyof Output>;

/** A verb's result, on one line or several. */
export function print(
  { json, stdout }: Omit<Takes<'json'>, 'stderr'>,
  document: object,
  text: string,
  indent = 2,
): void {
  stdout.write(`${json ? JSON.stringify(document, null, indent) : text}\n`);
}

/** Asks at a terminal. Ctrl-C and Ctrl-D are a no. */
export async function agrees(question: string, input: Input, output: Terminal, signal: AbortSignal): Promise<boolean> {
  // Only here: most verbs ask nothing.
  const { createInterface } = await import('node:readline/promises');
  const prompt = createInterface({ input, output: output as NodeJS.WritableStream });
  const no = new Promise<string>(resolve => prompt.once('close', () => resolve('')));
  try {
    const answer = await Promise.race([prompt.question(question, { signal }).catch(() => ''), no]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}

/** A line at the end that is drawn anew each second until it is cleared; only on a terminal. */
export class StatusLine {
  readonly #terminal: Terminal;
  #ticker: NodeJS.Timeout | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  draw(text: () => string): void {
    this.clear();
    if (!this.#terminal.isTTY) return;
    const draw = () => {
      // A line that wraps could not be erased. 0: the terminal does not know its size.
      const line = [...text()].slice(0, (this.#terminal.columns || 80) - 1).join('');
      this.#terminal.write(`\r\u001b[K${line.trimEnd()}`);
    };
    draw();
    this.#ticker = setInterval(draw, 1_000);
  }

  clear(): void {
    if (this.#ticker) this.#terminal.write('\r\u001b[K');
    clearInterval(this.#ticker);
    this.#ticker = undefined;
  }
}

const barWidth = 24;

/** `share`: from 0 to 1. */
export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * barWidth);
  return `[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}]`;
}

/** Cells in columns, indented. */
export function align(rows: readonly string[][], indent = '  '): string[] {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, i) => Math.max(cell.length, all[i] ?? 0)), []);
  return rows.map(row => `${indent}${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd());
}

/** The exit codes of every verb. */
export const exitCode = { succeeded: 0, failed: 1, usage: 2, unreached: 3, timedOut: 4, interrupted: 130 } as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** Why a verb cannot do what it should: a sentence for people, and the exit code. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: ExitCode;

  constructor(code: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Prints a refusal, and returns its exit code; rethrows any other error. */
export function told(error: unknown, stderr: Terminal): ExitCode {
  if ((error as NodeJS.ErrnoException).syscall === 'uv_cwd') {
    return told(new Refusal(exitCode.usage, 'The working directory was deleted: change to another one.'), stderr);
  }
  if (!(error instanceof Refusal)) throw error;
  stderr.write(`${error.message}\n`);
  return error.code;
}

/** The exit code of a final response. */
export function exitCodeOf({ status, code }: Pick<ResponseDocument, 'status' | 'code'>): ExitCode {
  if (status === 'succeeded') return exitCode.succeeded;
  if (code === 'timed_out') return exitCode.timedOut;
  return code === 'libvirt_unavailable' ? exitCode.unreached : exitCode.failed;
}

export function isFinal({ status }: Pick<ResponseDocument, 'status'>): boolean {
  return status !== 'accepted' && status !== 'progress';
}

/** For the errors of an output: `status | head` is no failure, a full disk is one. */
export function outputFailed({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') process.exit();
  process.stderr.write(`The output cannot be written: ${message}\n`);
  process.exit(exitCode.failed);
}

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
