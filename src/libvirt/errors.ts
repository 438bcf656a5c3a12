/**
 * What can go wrong between us and libvirt, distinguished by class and `code`, never by text.
 *
 * - `LibvirtError`: the daemon refused or failed the call. The outcome is known.
 * - `ConnectionLost`: the stream ended. Unless `sent` is false, the call's outcome is *unknown*: read the state again.
 * - `TimeoutError`: no reply in time. Unless `sent` is false, the daemon may still act.
 * - `ProtocolError`: bytes that are not the protocol. The connection is closed; nothing after them can be trusted.
 * - `ConnectError`: no connection was made. Nothing was sent.
 * - `LimitError`: the daemon sent more than the caller's limit. It was asked to stop.
 */

export class ProtocolError extends Error {
  override name = 'ProtocolError';
}

export class ConnectError extends Error {
  override name = 'ConnectError';
}

export class LimitError extends Error {
  override name = 'LimitError';
}

class Unanswered extends Error {
  /** False when the call was never sent: then it had no effect. */
  readonly sent: boolean;

  constructor(message: string, { sent = true, cause }: { sent?: boolean; cause?: unknown } = {}) {
    super(message, { cause });
    this.sent = sent;
  }
}

export class ConnectionLost extends Unanswered {
  override name = 'ConnectionLost';
}

export class TimeoutError extends Unanswered {
  override name = 'TimeoutError';
}

type RemoteError = Pick<LibvirtError, 'code' | 'domain'> & { message: string | null };

export class LibvirtError extends Error {
  override name = 'LibvirtError';
  /** `virErrorNumber`. */
  readonly code: number;
  /** `virErrorDomain`: the part of libvirt that raised it. */
  readonly domain: number;

  constructor({ code, domain, message }: RemoteError, procedure: string) {
    super(`${procedure}: ${message ?? `libvirt error ${code}`}`);
    this.code = code;
    this.domain = domain;
  }
}

/** The `virErrorNumber`s that a caller may want to tell apart. */
export const errorCode = {
  noSupport: 3,
  operationFailed: 9,
  /** A write on the read-only socket. */
  operationDenied: 29,
  rpc: 39,
  noDomain: 42,
  noStoragePool: 49,
  noStorageVolume: 50,
  /** Not possible in this state: starting a running domain. */
  operationInvalid: 55,
  /** Asked of something the domain lacks: a guest agent. */
  argumentUnsupported: 74,
  /** The guest agent is not connected, or does not answer in time. */
  agentUnresponsive: 86,
  /** A network interface of the host. */
  noInterface: 57,
  /** By its access control, `access_drivers`. */
  accessDenied: 88,
  volumeExists: 90,
  /** XML that libvirt's schema does not allow. */
  invalidSchema: 92,
} as const;

export function isLibvirtError(error: unknown, ...codes: number[]): error is LibvirtError {
  return error instanceof LibvirtError && (codes.length === 0 || codes.includes(error.code));
}

/** What `call` brings, or `instead` when libvirt refuses it, with one of these codes if there are any. */
export function unlessRefused<T, I>(call: Promise<T>, instead: I, ...codes: number[]): Promise<T | I> {
  return call.catch(error => {
    if (isLibvirtError(error, ...codes)) return instead;
    throw error;
  });
}

/** For a call without a proper answer: it may be unknown whether it ran. */
export function isConnectionError(error: unknown): error is ConnectionLost | TimeoutError | ProtocolError {
  return error instanceof Unanswered || error instanceof ProtocolError;
}
