import type { ClientChannel } from 'ssh2';

/** What a command needs of the session that it runs in. */
export interface Shell {
  /** The connection has ended, by whomever. */
  readonly over: boolean;
  /** Resolves then. */
  readonly closed: Promise<void>;
  /**
   * Starts a command. `begin` gets its channel in the same turn, before anything can have come through it. Rejects with
   * `SshError`, and at once when `signal` is raised; what then still begins is closed.
   */
  exec<T>(command: string, options: ExecOptions, begin: (channel: ClientChannel) => T): Promise<T>;
}

export interface ExecOptions {
  pty?: boolean;
  signal: AbortSignal;
}
