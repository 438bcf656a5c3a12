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
}

const NEEDS_PERSON: ReadonlySet<FailureCode> = new Set([
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
const CLIENT_ID = ['client_id', 'the broker refuses this client id'] as const;
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
export function fromError(error: Error & { code?: unknown }, { secure, answered }: Circumstances): MqttFailure {
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
  if (secure) return new MqttFailure('tls', `TLS failed: ${message} (${code})`, error);
  return new MqttFailure('unreachable', message, error);
}

export interface Circumstances {
  /** The address asks for TLS. */
  secure: boolean;
  /** The broker has accepted our CONNECT. */
  answered: boolean;
}

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
