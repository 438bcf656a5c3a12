import { constants } from 'node:crypto';
import { addAbortListener } from 'node:events';
import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { type FailureWord, failureWord } from './failure.ts';

/**
 * One GET at an address, bounded in time and size, on a connection of its own. What the world does to it is a value.
 * Nothing secret is ever sent, and a NAS signs for itself, hence any certificate and any TLS will do. Whatever host is
 * asked for, it is asked for at that address, and nobody looks its name up.
 */

export interface HttpTarget {
  /** IPv4. */
  address: string;
  port: number;
  secure: boolean;
  /** With its query: `/webman/pingpong.cgi?action=cors`. */
  path: string;
  /** The host that is asked for; null: the address. */
  name: string | null;
}

export interface HttpLimits {
  /** Milliseconds, from the connection to the body's last byte. */
  timeout: number;
  /** Milliseconds until the port must have accepted; default: `timeout`. */
  connectTimeout?: number;
  signal: AbortSignal;
}

export interface HttpAnswer {
  failure: null;
  status: number;
  /** By lower-case name. */
  headers: Readonly<Record<string, string>>;
  /** Its beginning, where it is longer than 256 KiB. */
  body: string;
  /** Milliseconds. */
  ms: number;
}

export interface HttpFailure {
  failure: FailureWord;
  /** Whether the port had accepted the connection. */
  accepted: boolean;
}

export type HttpResult = HttpAnswer | HttpFailure;

const bodyLimit = 256 * 1024;
const headerLimit = 16 * 1024;

/** Rejects only with the reason of `limits.signal`. */
export async function get(target: HttpTarget, limits: HttpLimits): Promise<HttpResult> {
  const { timeout, connectTimeout = timeout, signal } = limits;
  signal.throwIfAborted();
  const began = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<HttpResult>();
  let accepted = false;
  const request = (target.secure ? requestSecure : requestPlain)(optionsOf(target));
  const fail = (failure: FailureWord) => resolve({ failure, accepted });
  const deadline = setTimeout(fail, timeout, 'timeout');
  const connecting = setTimeout(fail, connectTimeout, 'timeout');
  using _ = addAbortListener(signal, () => reject(signal.reason));
  request.on('socket', socket =>
    socket.once('connect', () => {
      accepted = true;
      clearTimeout(connecting);
    }),
  );
  const failed = (error: NodeJS.ErrnoException) => fail(failureWord(error.code, accepted));
  request.on('error', failed);
  // Nobody asked for another protocol; what speaks it is ours to close.
  request.on('upgrade', (_request, socket) => {
    socket.destroy();
    fail('not_http');
  });
  request.on('response', response => {
    response.on('error', failed);
    gather(response, body => resolve({ failure: null, ...headOf(response), body, ms: elapsed(began) }));
  });
  request.end();
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
    clearTimeout(connecting);
    request.destroy();
  }
}

function optionsOf(target: HttpTarget): RequestOptions & Record<string, unknown> {
  const { address, port, secure, path, name } = target;
  const { origin, host } = new URL(`${secure ? 'https' : 'http'}://${name ?? address}:${port}`);
  return {
    host: address,
    port,
    path,
    // Some versions of DSM answer pingpong only to a page of theirs.
    headers: { host, accept: '*/*', 'accept-encoding': 'identity', referer: `${origin}/` },
    // An address is none.
    servername: name ?? '',
    agent: false,
    maxHeaderSize: headerLimit,
    // The Web Assistant's answers come from shell scripts, which end their header lines as they like.
    insecureHTTPParser: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1',
    // OpenSSL offers what old systems have at this level only.
    ciphers: 'DEFAULT@SECLEVEL=0',
    secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
  };
}

/** Up to the limit; the rest is left on the wire. */
function gather(response: IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  const finish = () => done(Buffer.concat(chunks).subarray(0, bodyLimit).toString());
  response.on('data', (chunk: Buffer) => {
    if (length >= bodyLimit) return;
    chunks.push(chunk);
    length += chunk.length;
    if (length >= bodyLimit) finish();
  });
  response.on('end', finish);
}

function headOf({ statusCode = 0, headers }: IncomingMessage): Pick<HttpAnswer, 'status' | 'headers'> {
  return {
    status: statusCode,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
  };
}

function elapsed(since: number): number {
  return Math.round(performance.now() - since);
}
