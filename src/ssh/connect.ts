import { addAbortListener } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2 from 'ssh2';
import { backoff } from '../util/backoff.ts';
import { cancelled, SshError, type SshErrorCode } from './errors.ts';
import { HostKey, type HostKeyPolicy, hostKeyAlgorithms } from './host-key.ts';
import { type Account, type Credentials, Login, type LoginAttempt, newAccount } from './login.ts';
import { SshSession } from './session.ts';

/**
 * A session with a machine that may still be booting: what a boot explains is tried again until the time is up; a wrong
 * key and a refused login are final at once.
 */

export interface ConnectOptions extends Credentials {
  host: string;
  /** Default 22. */
  port?: number;
  hostKey: HostKeyPolicy;
  /** What types of host key to ask for, as `known_hosts` has them; default: the library's, in its order. */
  hostKeyTypes?: readonly string[];
  /** Milliseconds for all of it. */
  within: number;
  /** Shared by all that log in for one purpose; default: one of its own. */
  account?: Account;
  /** The first failure is final: somebody else tries again. */
  once?: boolean;
  /** Milliseconds for one connection up to its login; default 10 s. */
  attemptTimeout?: number;
  /** How a dead peer is noticed: after `misses` unanswered questions, and one more interval. Default 2 of 5 s: 15 s. */
  keepalive?: { interval: number; misses: number };
  /** 0 to 1, for the delays between attempts. */
  random?: () => number;
  /** Told of every attempt that will be followed by another. */
  onRetry?: (error: SshError) => void;
}

/** Of these a boot may be the reason. */
const passing: ReadonlySet<SshErrorCode> = new Set(['unreachable', 'timed_out', 'handshake', 'connection_lost']);

/** Milliseconds; with less, an attempt would only say that it had no time. */
const shortest = 1_000;

/** Rejects with `SshError`. */
export async function connect(options: ConnectOptions, signal: AbortSignal): Promise<SshSession> {
  const { within, attemptTimeout = 10_000 } = options;
  const login = new Login(options, options.account ?? newAccount());
  const end = performance.now() + within;
  const delays = backoff({ first: 250, ...(options.random && { random: options.random }) });
  for (;;) {
    const left = end - performance.now();
    const timeout = Math.min(attemptTimeout, left);
    const opened = await new Attempt(options, login, timeout).run(signal);
    if (!(opened instanceof SshError)) return opened;
    const delay = delays.next().value;
    const enough = performance.now() + delay + Math.min(attemptTimeout, shortest) < end;
    if (options.once || !passing.has(opened.code) || login.spent || !enough) throw opened;
    options.onRetry?.(opened);
    await sleep(delay, undefined, { signal }).catch(() => {
      throw cancelled(signal);
    });
  }
}

/** One connection, used once. */
class Attempt {
  readonly #options: ConnectOptions;
  readonly #timeout: number;
  readonly #client = new ssh2.Client();
  readonly #hostKey: HostKey;
  readonly #login: LoginAttempt;
  readonly #done = Promise.withResolvers<SshSession | SshError>();
  #phase: 'dialling' | 'handshake' | 'login' = 'dialling';

  constructor(options: ConnectOptions, login: Login, timeout: number) {
    this.#options = options;
    this.#timeout = timeout;
    this.#hostKey = new HostKey(options.hostKey);
    this.#login = login.begin(() => this.#done.resolve(this.#login.failed()));
  }

  async run(signal: AbortSignal): Promise<SshSession | SshError> {
    if (signal.aborted) throw cancelled(signal);
    const { host, port = 22 } = this.#options;
    const socket = dial({ host, port, noDelay: true });
    const settle = this.#done.resolve;
    const timer = setTimeout(() => settle(new SshError('timed_out', this.#late())), this.#timeout);
    using _ = addAbortListener(signal, () => settle(cancelled(signal)));
    try {
      this.#start(socket);
    } catch (error) {
      settle(new SshError('incompatible', `no SSH with these options: ${(error as Error).message}`, error));
    }
    const outcome = await this.#done.promise;
    clearTimeout(timer);
    // The library's own end() would wait for the peer.
    if (outcome instanceof SshError) socket.destroy();
    return outcome;
  }

  #start(socket: Socket): void {
    const { user, hostKeyTypes, keepalive: { interval, misses } = { interval: 5_000, misses: 2 } } = this.#options;
    const client = this.#client;
    const settle = this.#done.resolve;
    client.on('connect', () => {
      this.#phase = 'handshake';
    });
    client.on('handshake', () => {
      if (this.#phase === 'handshake') this.#hostKey.proven();
      this.#phase = 'login';
    });
    client.on('ready', () => settle(new SshSession(client, socket)));
    client.on('change password', () => settle(this.#login.failed()));
    // Stays for the session's life: a client without a listener would throw.
    client.on('error', (error: Error) => settle(this.#explain(error)));
    client.on('close', () => settle(this.#explain()));
    client.connect({
      sock: socket,
      username: user,
      readyTimeout: 0,
      keepaliveInterval: interval,
      keepaliveCountMax: misses,
      ...(hostKeyTypes && { algorithms: { serverHostKey: [...new Set(hostKeyTypes.flatMap(hostKeyAlgorithms))] } }),
      hostVerifier: (key: Buffer) => this.#hostKey.verify(key),
      authHandler: (offered, _, next) => {
        const method = this.#login.next(offered);
        if (method) next(method);
        else settle(this.#login.failed());
      },
    });
  }

  /** `error` is the library's; without one the connection just ended. */
  #explain(error?: Error & { code?: unknown; level?: unknown }): SshError {
    if (this.#hostKey.mismatch) return this.#hostKey.mismatch;
    const cause = error;
    if (this.#phase === 'dialling') {
      const why = typeof error?.code === 'string' ? ` (${error.code})` : '';
      return new SshError('unreachable', `nothing answers at the SSH port${why}`, cause);
    }
    if (this.#phase === 'handshake') {
      if (error?.level === 'handshake')
        return new SshError('incompatible', `no SSH with this server: ${error.message}`, cause);
      return new SshError('handshake', 'the connection ended before SSH had begun', cause);
    }
    // A number is the reason of the server's own goodbye (RFC 4253, 11.1): after an attempt, that it was one too many.
    if (typeof error?.code === 'number' && this.#login.begun) return this.#login.failed(cause);
    return new SshError('connection_lost', 'the connection broke during the login', cause);
  }

  #late(): string {
    const what = { dialling: 'no connection', handshake: 'no answer to SSH’s greeting', login: 'no login' }[
      this.#phase
    ];
    return `${what} within ${Math.round(this.#timeout / 1_000)} s`;
  }
}
