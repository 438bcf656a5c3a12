import { addAbortListener } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client, ClientCallback, ClientChannel } from 'ssh2';
import { cancelled, SshError } from './errors.ts';

/** One logged-in connection. When it is lost, it stays lost. Commands may run side by side. */
export class SshSession {
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #closed = Promise.withResolvers<void>();
  #over = false;
  #closing = false;

  constructor(client: Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
    client.once('close', () => {
      this.#over = true;
      this.#closed.resolve();
    });
  }

  get over(): boolean {
    return this.#over;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Starts a command. `begin` gets its channel at once, before anything can come through it. Rejects with `SshError`, and
   * at once when `signal` aborts; that also closes the channel at any later time.
   */
  exec<T>(command: string, signal: AbortSignal, begin: (channel: ClientChannel) => T | Promise<T>): Promise<T> {
    const open = (begun: ClientCallback) => this.#client.exec(command, begun);
    return this.#channel('the SSH server does not start the command', signal, open, channel => {
      signal.addEventListener('abort', () => channel.close(), { once: true });
      return begin(channel);
    });
  }

  /** A stream to a unix socket of that machine. Rejects with `SshError`, `not_started` if it is not there or not allowed. */
  socket(path: string, signal: AbortSignal): Promise<Duplex> {
    const open = (begun: ClientCallback) => this.#client.openssh_forwardOutStreamLocal(path, begun);
    return this.#channel(`no stream to ${path}`, signal, open, channel => channel);
  }

  async #channel<T>(
    refused: string,
    signal: AbortSignal,
    open: (begun: ClientCallback) => unknown,
    begin: (channel: ClientChannel) => T | Promise<T>,
  ): Promise<T> {
    if (signal.aborted) throw cancelled(signal);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    using _ = addAbortListener(signal, () => reject(cancelled(signal)));
    try {
      open((error, channel) => {
        if (signal.aborted) channel?.close();
        else if (channel && !error) Promise.resolve(begin(channel)).then(resolve, reject);
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

/** Milliseconds. */
const goodbye = 500;

function lost(): SshError {
  return new SshError('connection_lost', 'the connection is lost');
}
