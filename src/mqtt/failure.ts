/** Why a session did not open, or ended: a code to decide by and a plain sentence to show. */
import { ReasonCodes } from 'mqtt';

export type FailureCode =
  /** No such name, no route, nothing listens. */
  | 'unreachable'
  /** Not open within the connect time-out. */
  | 'timed_out'
  /** Connected, then no answer to a ping. */
  | 'silent'
  /** Closed before the broker answered our CONNECT. */
  | 'closed_early'
  | 'closed'
  /** Something answers at the address, but speaks otherwise than `mqtt.url` says. */
  | 'scheme'
  /** Closed each time while the same message was on its way. */
  | 'too_large'
  | 'tls'
  /** User, password or permission to connect. */
  | 'credentials'
  | 'client_id'
  /** This protocol version is not spoken there. */
  | 'version'
  /** Another client came with our client id. */
  | 'taken_over'
  /** The broker said why, and it may pass: busy, shutting down, quota. */
  | 'refused'
  /** What came is not MQTT, or breaks its rules. */
  | 'protocol'
  /** We ended it. */
  | 'done';

export class MqttFailure extends Error {
  override readonly name = 'MqttFailure';
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }

  /** Retrying alone will not mend it. */
  get needsPerson(): boolean {
    return NEEDS_PERSON.has(this.code);
  }

  /** As if something else listened at the address than it says. */
  get isPuzzling(): boolean {
    if (this.code !== 'tls') return PUZZLING.has(this.code);
    return this.cause instanceof Error && 'code' in this.cause && /^(EPROTO|ERR_SSL_)/.test(String(this.cause.code));
  }
}

const PUZZLING: ReadonlySet<FailureCode> = new Set(['closed_early', 'timed_out', 'protocol']);

const NEEDS_PERSON: ReadonlySet<FailureCode> = new Set([
  'scheme',
  'too_large',
  'tls',
  'credentials',
  'client_id',
  'version',
  'taken_over',
  'protocol',
]);

/** A CONNACK's or DISCONNECT's reason: MQTT 3.1.1 §3.2.2.3 (1 to 5), MQTT 5 §2.4 (128 and up). */
export function fromReason(reason: number): MqttFailure {
  const known = REASONS[reason];
  if (known) return new MqttFailure(...known);
  const words = (ReasonCodes as Record<number, string>)[reason] || 'no reason given';
  return new MqttFailure('refused', `the broker ended the connection: ${words} (${reason})`);
}

const VERSION = ['version', 'the broker does not speak this version of MQTT'] as const;
const CLIENT_ID = [
  'client_id',
  'the broker refuses this client id: set mqtt.client_id; some take at most 23 letters and digits',
] as const;
const PASSWORD = ['credentials', 'the broker refuses the user name or password'] as const;
const PERMISSION = [
  'credentials',
  'the broker does not let this client in: user name, password or its access list',
] as const;

const REASONS: Readonly<Record<number, readonly [FailureCode, string]>> = {
  1: VERSION,
  2: CLIENT_ID,
  4: PASSWORD,
  5: PERMISSION,
  130: ['protocol', 'the broker reports a protocol error'],
  132: VERSION,
  133: CLIENT_ID,
  134: PASSWORD,
  135: PERMISSION,
  138: ['credentials', 'the broker has banned this client'],
  140: ['credentials', 'the broker wants another way of authentication'],
  141: ['silent', 'the broker has not heard from this client in time'],
  142: ['taken_over', 'another client uses the same client id: is a second bridge running?'],
};

/** An error of the socket, of TLS, of the WebSocket or of MQTT.js. */
export function fromError(error: TlsError, { secure, answered, ca }: Circumstances): MqttFailure {
  const { code, message } = error;
  if (typeof code === 'number') return fromReason(code);
  if (typeof code !== 'string') {
    return new MqttFailure('protocol', `the other end does not speak MQTT: ${message}`, error);
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') return closed(answered, error);
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
    const what = 'the broker sends a WebSocket message of more than 4 MiB: is a command of that size retained?';
    return new MqttFailure('protocol', what, error);
  }
  const words = UNREACHABLE[code];
  if (words) return new MqttFailure('unreachable', words, error);
  if (secure) return new MqttFailure('tls', certificateWords(code, error, ca), error);
  return new MqttFailure('unreachable', message, error);
}

export interface Circumstances {
  /** The address asks for TLS. */
  secure: boolean;
  /** The broker has accepted our CONNECT. */
  answered: boolean;
  /** `mqtt.ca_file` is given. */
  ca: boolean;
}

/** Node's, if it has one: the certificate and the host that do not fit. */
interface TlsError extends Error {
  code?: unknown;
  host?: string;
  cert?: { subjectaltname?: string; subject?: { CN?: string | string[] } };
}

function certificateWords(code: string, { message, host, cert }: TlsError, ca: boolean): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' && cert) {
    // Of the subject only where there are no alternative names: all others look at those alone.
    const given = cert.subjectaltname?.split(', ') ?? [cert.subject?.CN ?? 'no name'].flat();
    const names = given.slice(0, 5).map(name => name.replace(/^(DNS|IP Address):/, ''));
    return `the broker’s certificate is for ${names.join(', ')}, not for ${host}: write a name that it has in mqtt.url`;
  }
  if (code === 'CERT_HAS_EXPIRED') return 'the broker’s certificate has expired: renew it, or set this machine’s clock';
  if (code === 'CERT_NOT_YET_VALID') return 'the broker’s certificate is not valid yet: set this machine’s clock';
  if (code.endsWith('CERTIFICATE_REQUIRED')) {
    return 'the broker wants to see a certificate: give mqtt.cert_file and mqtt.key_file';
  }
  if (!UNTRUSTED.has(code)) return `TLS failed: ${message} (${code})`;
  return ca
    ? 'the authority in mqtt.ca_file has not signed the broker’s certificate: name the one that has'
    : 'no authority known here has signed the broker’s certificate: name the one that has in mqtt.ca_file';
}

const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at the broker’s address',
  ENOTFOUND: 'the broker’s name is not known',
  EAI_AGAIN: 'the broker’s name cannot be looked up now',
  EHOSTUNREACH: 'there is no route to the broker',
  ENETUNREACH: 'there is no network to the broker',
  EHOSTDOWN: 'the broker’s host is down',
  ETIMEDOUT: 'the broker’s host does not answer',
};

/** The other end closed without a word. */
export function closed(answered: boolean, cause?: unknown): MqttFailure {
  return answered
    ? new MqttFailure('closed', 'the connection to the broker broke', cause)
    : new MqttFailure('closed_early', 'the broker closed the connection before it answered', cause);
}
