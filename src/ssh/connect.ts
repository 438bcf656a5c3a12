import { addAbortListener } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { type Account, newAccount } from './account.ts';
import { cancelled, SshError } from './errors.ts';
import { fingerprint, hostKeyAlgorithms } from './host-key.ts';
import { type Credentials, Login, mustBeUsable } from './login.ts';
import { SshSession } from './session.ts';

export interface ConnectOptions extends Credentials {
  host: string;
  port?: number;
  /** Fingerprints of the keys that the server may have; null: any key. */
  hostKeys: readonly string[] | null;
  /** What types of host key to ask for, as `known_hosts` has them; default: the library's, in its order. */
  hostKeyTypes?: readonly string[];
  /** Takes the key's fingerprint as soon as the server has proven that the key is its own. */
  onHostKey?: (fingerprint: string) => void;
  /** Milliseconds up to the login. */
  within: number;
  account?: Account;
  /** How a dead peer is noticed: after `misses` unanswered questions, and one more interval. Default 2 of 5 s: 15 s. */
  keepalive?: { interval: number; misses: number };
}

/** Connects and logs in, once. Rejects with `SshError`. */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<SshSession> {
  mustBeUsable(options);
  if (signal.aborted) throw cancelled(signal);
  return new Attempt(options).run(signal);
}

class Attempt {
  readonly #options: ConnectOptions;
  readonly #client = new ssh2.Client();
  readonly #login: Login;
  readonly #done = Promise.withResolvers<SshSession>();
  #phase: 'dialling' | 'handshake' | 'login' = 'dialling';
  #mismatch: SshError | null = null;

  constructor(options: ConnectOptions) {
    this.#options = options;
    this.#login = new Login(options, options.account ?? newAccount(), () => this.#fail(this.#login.failed()));
  }

  async run(signal: AbortSignal): Promise<SshSession> {
    const { host, port = 22, within } = this.#options;
    const socket = dial({ host, port, noDelay: true });
    const abort = () => this.#fail(signal.aborted ? cancelled(signal) : new SshError('timed_out', this.#late()));
    const limit = AbortSignal.any([signal, AbortSignal.timeout(within)]);
    using _ = addAbortListener(limit, abort);
    try {
      this.#start(socket);
    } catch (error) {
      this.#fail(new SshError('incompatible', `no SSH with these options: ${(error as Error).message}`, error));
    }
    try {
      return await this.#done.promise;
    } catch (error) {
      // The library's own end() would wait for the peer.
      socket.destroy();
      throw error;
    }
  }

  #fail(error: SshError): void {
    this.#done.reject(error);
  }

  #start(socket: Socket): void {
    const { user, hostKeyTypes, keepalive: { interval, misses } = { interval: 5_000, misses: 2 } } = this.#options;
    const client = this.#client;
    let key = '';
    client.on('connect', () => {
      this.#phase = 'handshake';
    });
    client.on('handshake', () => {
      if (this.#phase === 'handshake') this.#options.onHostKey?.(key);
      this.#phase = 'login';
    });
    client.on('ready', () => this.#done.resolve(new SshSession(client, socket)));
    client.on('change password', () => this.#fail(this.#login.failed()));
    // Stays for the session's lifetime: a client without a listener would throw.
    client.on('error', (error: Error) => this.#fail(this.#explain(error)));
    client.on('close', () => this.#fail(this.#explain()));
    client.connect({
      sock: socket,
      username: user,
      readyTimeout: 0,
      keepaliveInterval: interval,
      keepaliveCountMax: misses,
      ...(hostKeyTypes && { algorithms: { serverHostKey: [...new Set(hostKeyTypes.flatMap(hostKeyAlgorithms))] } }),
      hostVerifier: (shown: Buffer) => {
        key = fingerprint(shown);
        return this.#isExpected(key);
      },
      authHandler: (offered, _, next) => {
        const method = this.#login.next(offered);
        if (method) next(method);
        else this.#fail(this.#login.failed());
      },
    });
  }

  #isExpected(key: string): boolean {
    const { hostKeys } = this.#options;
    // As people paste them.
    if (hostKeys === null || hostKeys.some(each => each.trim().replace(/=+$/, '') === key)) return true;
    const expected = `${hostKeys.join(' or ')} was expected: another machine, or one set up anew`;
    this.#mismatch = new SshError('host_key_mismatch', `the SSH server's key is ${key}, and ${expected}`);
    return false;
  }

  /** `error` is the library's; without one the connection just ended. */
  #explain(error?: Error & { code?: unknown; level?: unknown }): SshError {
    if (this.#mismatch) return this.#mismatch;
    if (this.#phase === 'dialling') {
      const why = typeof error?.code === 'string' ? ` (${error.code})` : '';
      return new SshError('unreachable', `nothing answers at the SSH port${why}`, error);
    }
    if (this.#phase === 'handshake' && error?.level === 'handshake') {
      return new SshError('incompatible', `no SSH with this server: ${error.message}`, error);
    }
    if (this.#phase === 'handshake') {
      return new SshError('handshake', 'the connection ended before SSH had begun', error);
    }
    // A number is the server's reason to disconnect (RFC 4253, 11.1); after a login attempt: one attempt too many.
    if (typeof error?.code === 'number' && this.#login.begun) return this.#login.failed(error);
    return new SshError('connection_lost', 'the connection broke during the login', error);
  }

  #late(): string {
    const missing = { dialling: 'no connection', handshake: 'no answer to SSH’s greeting', login: 'no login' };
    return `${missing[this.#phase]} within ${Math.round(this.#options.within / 1_000)} s`;
  }
}
