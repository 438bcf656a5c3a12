import type { ResponseDocument } from '../commands/responder.ts';
import type { Terminal } from './terminal.ts';

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
