/** Why a session did not open, or ended: a code for decisions and a plain sentence for people. */
import { ReasonCodes } from 'mqtt';

interface Kind {
  /** Retrying alone will not mend it. */
  person?: boolean;
  /** Something else may listen at the address than its scheme says. */
  puzzling?: boolean;
  /** How soon to try again; default `lost`. */
  pace?: 'refused' | 'takenOver';
}

const kinds = {
  /** No such name, no route, nothing listens. */
  unreachable: {},
  /** Not open within the connect time-out. */
  timed_out: { puzzling: true },
  /** Connected, then no answer to a ping. */
  silent: {},
  /** Closed before the broker answered our CONNECT. */
  closed_early: { puzzling: true },
  closed: {},
  /** The server at the address speaks another protocol than `mqtt.url` says. */
  scheme: { person: true },
  /** Closed each time while the same message was on its way. */
  too_large: { person: true, pace: 'takenOver' },
  tls: { person: true },
  /** User, password or permission to connect. */
  credentials: { person: true, pace: 'refused' },
  client_id: { person: true },
  /** The server does not support this protocol version. */
  version: { person: true },
  /** Another client came with our client id. */
  taken_over: { person: true, pace: 'takenOver' },
  /** The broker said why, and it may pass: busy, shutting down, quota. */
  refused: {},
  /** The bytes are not MQTT, or break its rules. */
  protocol: { person: true, puzzling: true },
  /** We ended it. */
  done: {},
} satisfies Record<string, Kind>;

export type FailureCode = keyof typeof kinds;

export function paceOf(code: FailureCode): 'lost' | 'refused' | 'takenOver' {
  return (kinds[code] as Kind).pace ?? 'lost';
}

export class MqttFailure extends Error {
  override readonly name = 'MqttFailure';
  readonly code: FailureCode;
  readonly needsPerson: boolean;
  readonly isPuzzling: boolean;

  constructor(code: FailureCode, message: string, cause?: unknown) {
    super(message, { cause });
    const { person = false, puzzling = false }: Kind = kinds[code];
    this.code = code;
    this.needsPerson = person;
    // These may only mean that the other end does not speak TLS.
    this.isPuzzling =
      puzzling || (code === 'tls' && /^(EPROTO|ERR_SSL_)/.test(String((cause as TlsError | undefined)?.code)));
  }
}

/**
 * By the reason of a CONNACK or DISCONNECT (MQTT 3.1.1 §3.2.2.3: 1 to 5, MQTT 5 §2.4: 128 and up), or by the code of an
 * error of the socket, of TLS or of the WebSocket.
 */
const known: readonly (readonly [by: readonly (number | string)[], code: FailureCode, words: string])[] = [
  [[1, 132], 'version', 'the broker does not speak this version of MQTT'],
  [
    [2, 133],
    'client_id',
    'the broker refuses this client id: set mqtt.client_id; some take at most 23 letters and digits',
  ],
  [[4, 134], 'credentials', 'the broker refuses the user name or password'],
  [[5, 135], 'credentials', 'the broker does not let this client in: user name, password or its access list'],
  [[130], 'protocol', 'the broker reports a protocol error'],
  [[149], 'closed', 'the broker takes no message of this size'],
  [[138], 'credentials', 'the broker has banned this client'],
  [[140], 'credentials', 'the broker wants another way of authentication'],
  [[141], 'silent', 'the broker has not heard from this client in time'],
  [[142], 'taken_over', 'another client uses the same client id: is a second bridge running?'],
  [['ECONNREFUSED'], 'unreachable', 'nothing listens at the broker’s address'],
  [['ENOTFOUND'], 'unreachable', 'the broker’s name is not known'],
  [['EAI_AGAIN'], 'unreachable', 'the broker’s name cannot be looked up now'],
  [['EHOSTUNREACH'], 'unreachable', 'there is no route to the broker'],
  [['ENETUNREACH'], 'unreachable', 'there is no network to the broker'],
  [['EHOSTDOWN'], 'unreachable', 'the broker’s host is down'],
  [['ETIMEDOUT'], 'unreachable', 'the broker’s host does not answer'],
  [
    ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'],
    'protocol',
    'the broker sends a WebSocket message of more than 4 MiB: is a command of that size retained?',
  ],
  [['CERT_HAS_EXPIRED'], 'tls', 'the broker’s certificate has expired: renew it, or set this machine’s clock'],
  [['CERT_NOT_YET_VALID'], 'tls', 'the broker’s certificate is not valid yet: set this machine’s clock'],
];

function knownFailure(by: number | string, cause?: unknown): MqttFailure | null {
  const [, code, words] = known.find(([each]) => each.includes(by)) ?? [];
  return code && words ? new MqttFailure(code, words, cause) : null;
}

export function fromReason(reason: number): MqttFailure {
  const words = (ReasonCodes as Record<number, string>)[reason] || 'no reason given';
  return knownFailure(reason) ?? new MqttFailure('refused', `the broker ended the connection: ${words} (${reason})`);
}

export interface Circumstances {
  /** The address asks for TLS. */
  secure: boolean;
  /** The broker has accepted our CONNECT. */
  answered: boolean;
  /** `mqtt.ca_file` is given. */
  ca: boolean;
}

export function fromError(error: TlsError, { secure, answered, ca }: Circumstances): MqttFailure {
  const { code, message } = error;
  if (typeof code === 'number') return fromReason(code);
  if (typeof code !== 'string') {
    return new MqttFailure('protocol', `the other end does not speak MQTT: ${message}`, error);
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') return closed(answered, error);
  const failure = knownFailure(code, error);
  if (failure) return failure;
  return secure
    ? new MqttFailure('tls', tlsWords(code, error, ca), error)
    : new MqttFailure('unreachable', message, error);
}

/** The other end closed the connection, and sent no reason. */
export function closed(answered: boolean, cause?: unknown): MqttFailure {
  return answered
    ? new MqttFailure('closed', 'the connection to the broker broke', cause)
    : new MqttFailure('closed_early', 'the broker closed the connection before it answered', cause);
}

/** Node's, if it has one: the certificate and the host that do not fit. */
interface TlsError extends Error {
  code?: unknown;
  host?: string;
  cert?: { subjectaltname?: string; subject?: { CN?: string | string[] } };
}

const untrusted =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)\w+|CERT_UNTRUSTED|INVALID_CA)$/;

function tlsWords(code: string, { message, host, cert }: TlsError, ca: boolean): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' && cert) {
    // The subject counts only if there are no alternative names.
    const given = cert.subjectaltname?.split(', ') ?? [cert.subject?.CN ?? 'no name'].flat();
    const names = given.slice(0, 5).map(name => name.replace(/^(DNS|IP Address):/, ''));
    return `the broker’s certificate is for ${names.join(', ')}, not for ${host}: write a name that it has in mqtt.url`;
  }
  if (code.endsWith('CERTIFICATE_REQUIRED')) {
    return 'the broker wants to see a certificate: give mqtt.cert_file and mqtt.key_file';
  }
  if (!untrusted.test(code)) return `TLS failed: ${message} (${code})`;
  return ca
    ? 'the authority in mqtt.ca_file has not signed the broker’s certificate: name the one that has'
    : 'no authority known here has signed the broker’s certificate: name the one that has in mqtt.ca_file';
}
