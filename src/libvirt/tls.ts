import { addAbortListener } from 'node:events';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { ConnectError } from './errors.ts';
import type { Dialer } from './transport.ts';

/** libvirtd's TLS port: both sides show certificates. */
export interface TlsEndpoint {
  transport: 'tls';
  host: string;
  port: number;
  /** PEM files. */
  ca: string;
  cert: string;
  key: string;
  /** The server's certificate must be good and for this host. */
  verify: boolean;
}

/**
 * Dials, and waits until the server has accepted the client's certificate: it says so with one byte, 1, before the
 * protocol begins, and hangs up otherwise (`virNetClientSetTLSSession` in libvirt's src/rpc/virnetclient.c; seen).
 * The files are read each time, so that renewed certificates count.
 */
export function tlsDialer(endpoint: TlsEndpoint): Dialer {
  return async signal => {
    const ca = await read(endpoint.ca);
    const cert = await read(endpoint.cert);
    const key = await read(endpoint.key);
    signal.throwIfAborted();
    const { host, port, verify } = endpoint;
    const socket = connect({
      ...{ host, port, ca, cert, key },
      rejectUnauthorized: verify,
      // An address is no server name (RFC 6066, 3); it is compared with the certificate's all the same.
      ...(isIP(host) === 0 && { servername: host }),
    });
    socket.setNoDelay(true);
    return accepted(socket, `${host}:${port}`, signal);
  };
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new ConnectError(`the TLS file ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

async function accepted(socket: TLSSocket, where: string, signal: AbortSignal): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  let secure = false;
  const fail = (message: string, cause?: unknown) => reject(new ConnectError(message, { cause }));
  const refused = (cause?: unknown) =>
    fail(`${where} does not accept the client certificate: another CA, or not in tls_allowed_dn_list`, cause);
  // Once the handshake is over for us, the server may still refuse our certificate.
  const failed = (error: NodeJS.ErrnoException) =>
    secure ? refused(error) : fail(`${where}: ${explain(error)}`, error);
  const look = () => {
    const byte: Buffer | null = socket.read(1);
    if (byte?.[0] === 1) resolve(socket);
    else if (byte) fail(`${where} answers, but not as libvirtd does`);
  };
  socket.on('error', failed).on('close', refused);
  socket.once('secureConnect', () => {
    secure = true;
    socket.on('readable', look);
  });
  using _ = addAbortListener(signal, () => reject(signal.reason));
  try {
    return await promise;
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw error;
  } finally {
    socket.off('error', failed).off('close', refused).off('readable', look);
  }
}

function explain(error: NodeJS.ErrnoException): string {
  const { code = '', message } = error;
  if (code === 'ECONNREFUSED') {
    return 'nobody listens: does libvirtd listen for TLS (virtproxyd-tls.socket or libvirtd-tls.socket)?';
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `its certificate is for another name (${message})`;
  if (!/^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(VERIFY|GET_ISSUER)\w+)$/.test(code)) {
    return message;
  }
  return `its certificate is not from the CA in cacert.pem (${message})`;
}
