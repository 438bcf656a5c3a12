import { addAbortListener } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client, ClientCallback, ClientChannel } from 'ssh2';
import { Command, type RunOptions } from './command.ts';
import { type CommandEnd, cancelled, SshError } from './errors.ts';
import type { ExecOptions, Shell } from './shell.ts';
import { download, type TransferOptions, upload } from './transfer.ts';

/** One logged-in connection, used once: when it is lost, it stays lost. Commands may run side by side. */
export class SshSession implements Shell {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #closed = Promise.withResolvers<void>();
  #over = false;
  #closing = false;

  /** Of a client that is logged in, and its socket. */
  constructor(client: Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
    client.once('close', () => {
      this.#over = true;
      this.#closed.resolve();
    });
  }

  /** The connection has ended, by whomever. */
  get over(): boolean {
    return this.#over;
  }

  /** Resolves when the connection has ended, by whomever. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Runs a command of a POSIX shell to its end. Rejects with `CommandError` when it is given up or its outcome is not
   * known, and with `SshError` when it was not started.
   */
  run(command: string, options: RunOptions): Promise<CommandEnd> {
    return new Command(this, command, options).run();
  }

  /** Replaces a small file as a whole, or leaves it as it is. Needs no SFTP. Rejects with `SshError`. */
  upload(path: string, bytes: Uint8Array, options: TransferOptions): Promise<void> {
    return upload(this, path, bytes, options);
  }

  /** Reads a small file. Rejects with `SshError`. */
  download(path: string, options: TransferOptions): Promise<Buffer> {
    return download(this, path, options);
  }

  exec<T>(command: string, { pty = false, signal }: ExecOptions, begin: (channel: ClientChannel) => T): Promise<T> {
    const open = (begun: ClientCallback) => this.#client.exec(command, { pty: pty && terminal }, begun);
    return this.#channel('the SSH server does not start the command', signal, open, begin);
  }

  /** A stream to a unix socket of that machine. Rejects with `SshError`, `not_started` if it is not there or not allowed. */
  socket(path: string, signal: AbortSignal): Promise<Duplex> {
    const open = (begun: ClientCallback) => this.#client.openssh_forwardOutStreamLocal(path, begun);
    return this.#channel(`no stream to ${path}`, signal, open, channel => channel);
  }

  /** `begin` is called at once, before the channel says anything. */
  async #channel<T>(
    refused: string,
    signal: AbortSignal,
    open: (begun: ClientCallback) => unknown,
    begin: (channel: ClientChannel) => T,
  ): Promise<T> {
    if (signal.aborted) throw cancelled(signal);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    using _ = addAbortListener(signal, () => reject(cancelled(signal)));
    try {
      open((error, channel) => {
        if (signal.aborted) channel?.close();
        else if (channel && !error) resolve(begin(channel));
        else reject(this.#over ? lost() : new SshError('not_started', refused, error));
      });
    } catch {
      reject(lost());
    }
    return await promise;
  }

  /** Says goodbye, and does not wait long for an answer. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#client.end();
      // The library's own destroy() does nothing after its end().
      const timer = setTimeout(() => this.#socket.destroy(), goodbye);
      this.#closed.promise.finally(() => clearTimeout(timer));
    }
    await this.#closed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Wide, so that nothing is wrapped. */
const terminal = { term: 'xterm', cols: 500, rows: 50 };
/** Milliseconds. */
const goodbye = 500;

/** Before the command was started: it did nothing that we know of. */
function lost(): SshError {
  return new SshError('connection_lost', 'the connection is lost');
}
