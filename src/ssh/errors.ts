/**
 * What can go wrong over SSH, told apart by `code`, never by text. No message holds a password, an answer or output.
 */

export type SshErrorCode =
  | 'unreachable'
  | 'timed_out'
  /** Connected, and the connection ended before both sides had agreed on keys; or it is no SSH. */
  | 'handshake'
  /** No algorithm in common, or the server could not prove its key. */
  | 'incompatible'
  /** The private key cannot be read, or there is neither key nor password. */
  | 'invalid_key'
  | 'host_key_mismatch'
  | 'authentication_failed'
  /** Of a command: its outcome is unknown. */
  | 'connection_lost'
  /** The server closed the command's channel, and did not report how the command ended. */
  | 'outcome_unknown'
  /** The server would not start the command, or closed its channel before it said that it had. */
  | 'not_started'
  | 'silent'
  | 'deadline'
  | 'unknown_prompt'
  /** What takes the output failed. */
  | 'output'
  | 'cancelled'
  | 'too_large'
  /** A file was not written or read completely. The old file is still there. */
  | 'transfer';

export class SshError extends Error {
  override name = 'SshError';
  readonly code: SshErrorCode;

  constructor(code: SshErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export function isSshError(error: unknown, ...codes: SshErrorCode[]): error is SshError {
  return error instanceof SshError && (codes.length === 0 || codes.includes(error.code));
}

/** How a command ended. A status other than 0 is no error here: `rploader.sh` lies with both. */
export interface CommandEnd {
  /** Null when a signal ended it. */
  status: number | null;
  /** `SIGTERM`, …; null when it ended by itself. */
  signal: string | null;
  /** The last of its output, at most 64 Ki characters. */
  tail: string;
  answered: readonly string[];
}

export class CommandError extends SshError {
  override name = 'CommandError';
  /** With `unknown_prompt`: the question, or the name of a known prompt that has no answer left. */
  readonly prompt: { readonly name: string | null; readonly text: string } | null;
  /** With `silent`: the last state of its progress meter, and the server of the last URL in its output. */
  readonly stall: { readonly stands: string | null; readonly host: string | null } | null;
  /** How it then ended; null: it may still run. */
  end: CommandEnd | null = null;
  tail = '';

  constructor(
    code: SshErrorCode,
    message: string,
    { prompt = null, stall = null, cause }: Partial<Pick<CommandError, 'prompt' | 'stall' | 'cause'>> = {},
  ) {
    super(code, message, cause);
    this.prompt = prompt;
    this.stall = stall;
  }
}

export function cancelled(signal: AbortSignal): SshError {
  return new SshError('cancelled', 'it was cancelled', signal.reason);
}
