import { constants } from 'node:crypto';
import { request as begin, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { connect as connectSecurely, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { inTime } from '../../util/deadline.ts';

/**
 * One GET at an address, limited in time and size, on its own connection. Every failure is a value. It sends no secret,
 * and a NAS signs its own certificate, so it accepts any certificate and any version of TLS. It may name any host, but
 * always connects to the given address, and resolves no name.
 */

export interface Place {
  /** The host that is asked for, as a URL has it (ASCII); null: the address. */
  name: string | null;
  port: number;
  secure: boolean;
  /** With the query: `/webman/pingpong.cgi?action=cors`. */
  path: string;
}

export interface HttpTarget extends Place {
  /** IPv4. */
  address: string;
}

export interface HttpLimits {
  /** Milliseconds, from the connection to the body's last byte. */
  timeout: number;
  /** Milliseconds until the port must accept; default: `timeout`. */
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
  /** Of TLS, when the certificate begins and ends, in milliseconds since 1970; null: there is none. */
  certificate: { from: number; until: number } | null;
  /** Milliseconds. */
  ms: number;
}

export interface HttpFailure {
  failure: FailureWord;
  /** Whether the port had accepted the connection. */
  accepted: boolean;
}

export type HttpResult = HttpAnswer | HttpFailure;

/** Our own words, because Node's and OpenSSL's change with their versions. */
type FailureWord =
  | 'refused'
  /** Nothing came in time, or not all of it. */
  | 'timeout'
  /** The connection ended early. */
  | 'reset'
  | 'not_http'
  /** No TLS, or none that we can agree on. */
  | 'tls'
  | 'unreachable';

const bodyLimit = 256 * 1024;
const headerLimit = 16 * 1024;

/** Rejects only with the reason of `limits.signal`. */
export async function get(
  target: HttpTarget,
  { timeout, connectTimeout = timeout, signal }: HttpLimits,
): Promise<HttpResult> {
  signal.throwIfAborted();
  const began = performance.now();
  let accepted = false;
  const { promise, resolve } = Promise.withResolvers<HttpResult>();
  const fail = ({ code }: Partial<NodeJS.ErrnoException>) =>
    resolve({ failure: failureWord(code, accepted), accepted });
  const request = requestOf(target);
  const late = setTimeout(fail, connectTimeout, { code: 'ETIMEDOUT' });
  request.once('socket', socket =>
    socket.once('connect', () => {
      accepted = true;
      clearTimeout(late);
    }),
  );
  // Node does not close a connection that switches to another protocol.
  request.once('upgrade', (_, socket) => {
    socket.destroy();
    fail({ code: 'HPE_UPGRADE' });
  });
  request.on('error', fail).once('response', (response: IncomingMessage) => {
    const { statusCode: status = 0 } = response;
    const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
    const certificate = certificateOf(response.socket);
    const chunks: Buffer[] = [];
    let left = bodyLimit;
    const end = () => {
      const body = Buffer.concat(chunks).subarray(0, bodyLimit).toString();
      const ms = Math.round(performance.now() - began);
      resolve({ failure: null, status, headers: Object.fromEntries(headers), body, certificate, ms });
    };
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      left -= chunk.length;
      // The rest is left on the wire.
      if (left <= 0) end();
    };
    response.on('error', fail).on('data', take).once('end', end);
  });
  request.end();
  try {
    return (await inTime(promise, timeout, null, signal)) ?? { failure: 'timeout', accepted };
  } finally {
    clearTimeout(late);
    request.destroy();
  }
}

function requestOf({ address, port, secure, path, name }: HttpTarget): ClientRequest {
  const host = `${name ?? address}${port === (secure ? 443 : 80) ? '' : `:${port}`}`;
  return begin({
    path,
    // Some versions of DSM answer pingpong only to their own page.
    headers: { host, accept: '*/*', 'accept-encoding': 'identity', referer: `http${secure ? 's' : ''}://${host}/` },
    maxHeaderSize: headerLimit,
    // The Web Assistant's answers come from shell scripts with irregular ends of the header lines.
    insecureHTTPParser: true,
    createConnection: () => {
      if (!secure) return connect({ host: address, port });
      // An address is no server name.
      return connectSecurely({ ...tls(), host: address, port, servername: name ?? '' });
    },
  });
}

function certificateOf(socket: unknown): HttpAnswer['certificate'] {
  if (!(socket instanceof TLSSocket)) return null;
  const { valid_from, valid_to } = socket.getPeerCertificate();
  const [from, until] = [Date.parse(valid_from), Date.parse(valid_to)];
  return Number.isNaN(from) || Number.isNaN(until) ? null : { from, until };
}

let context: SecureContext | undefined;

function tls() {
  context ??= createSecureContext({
    minVersion: 'TLSv1',
    // OpenSSL offers the algorithms of old systems only at this level.
    ciphers: 'DEFAULT@SECLEVEL=0',
    secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
  });
  return { secureContext: context, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
}

const words: ReadonlyMap<string | undefined, FailureWord> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ETIMEDOUT', 'timeout'],
  ['ECONNRESET', 'reset'],
  ['ECONNABORTED', 'reset'],
  ['EPIPE', 'reset'],
  ['EPROTO', 'tls'],
]);

/** `code` is a Node error's. Before the port has accepted, an unknown code means that the port cannot be reached. */
export function failureWord(code: string | undefined, accepted: boolean): FailureWord {
  if (code?.startsWith('HPE_')) return 'not_http';
  if (code?.startsWith('ERR_SSL_') || code?.startsWith('ERR_TLS_')) return 'tls';
  return words.get(code) ?? (accepted ? 'reset' : 'unreachable');
}
