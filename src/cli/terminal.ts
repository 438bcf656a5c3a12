import type { ResponseDocument } from '../commands/responder.ts';

/** Where the verbs write, and what they write there alike. */

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

  draw(text: (columns: number) => string): void {
    this.clear();
    if (!this.#terminal.isTTY) return;
    const draw = () => this.#terminal.write(`\r\u001b[K${text(this.#terminal.columns ?? 80)}`);
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

/** For the errors of an output: `status | head` is no failure. */
export function readerGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
}
