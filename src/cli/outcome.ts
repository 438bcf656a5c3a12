import type { ResponseDocument } from '../commands/responder.ts';

/** The exit codes of every verb. */
export const exitCode = { succeeded: 0, failed: 1, usage: 2, unreached: 3, timedOut: 4, interrupted: 130 } as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** The exit code that a response means, if it is the last one. */
export function exitCodeOf({ status, code }: Pick<ResponseDocument, 'status' | 'code'>): ExitCode {
  if (status === 'succeeded') return exitCode.succeeded;
  if (code === 'timed_out') return exitCode.timedOut;
  return code === 'libvirt_unavailable' ? exitCode.unreached : exitCode.failed;
}

export function isFinal({ status }: Pick<ResponseDocument, 'status'>): boolean {
  return status !== 'accepted' && status !== 'progress';
}
