/** Why no answer came, in words of our own: Node's and OpenSSL's differ with their versions. */

export type FailureWord =
  | 'refused'
  /** Nothing came in time, or not all of it. */
  | 'timeout'
  /** The connection ended early. */
  | 'reset'
  | 'not_http'
  /** No TLS, or none that we can agree on. */
  | 'tls'
  | 'unreachable';

const words: ReadonlyMap<string | undefined, FailureWord> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ETIMEDOUT', 'timeout'],
  ['ECONNRESET', 'reset'],
  ['ECONNABORTED', 'reset'],
  ['EPIPE', 'reset'],
  ['EPROTO', 'tls'],
]);

/** `code` is that of a Node error. Before the port has accepted, what is not known means that it cannot be reached. */
export function failureWord(code: string | undefined, accepted: boolean): FailureWord {
  if (code?.startsWith('HPE_')) return 'not_http';
  if (code?.startsWith('ERR_SSL_') || code?.startsWith('ERR_TLS_')) return 'tls';
  return words.get(code) ?? (accepted ? 'reset' : 'unreachable');
}
