import { createHash } from 'node:crypto';
import type { ServerHostKeyAlgorithm } from 'ssh2';
import { SshError } from './errors.ts';

/** Which server we talk to, known by its key before anything is said to it. */

/** Where the key of one server is kept. */
export interface KnownKey {
  /** A fingerprint, or null when the server was never met. */
  get(): string | null;
  set(fingerprint: string): void;
}

export type HostKeyPolicy =
  /** One of these only: `SHA256:…`, as `ssh-keygen -l` prints. */
  | { policy: 'pinned'; fingerprints: readonly string[] }
  /** Whatever comes first, and from then on that one. */
  | { policy: 'accept_new'; known: KnownKey };

/** OpenSSH's fingerprint of a public key in SSH's own encoding: base64 without padding. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

const algorithmsOf: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  // It can sign in three ways (RFC 8332), of which these are good.
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** How a host key of this type signs. Empty: the library cannot check such a key. */
export function hostKeyAlgorithms(type: string): readonly ServerHostKeyAlgorithm[] {
  return Object.hasOwn(algorithmsOf, type) ? (algorithmsOf[type] ?? []) : [];
}

/** One connection's check. */
export class HostKey {
  readonly #policy: HostKeyPolicy;
  #seen: string | null = null;
  #mismatch: SshError | null = null;

  constructor(policy: HostKeyPolicy) {
    this.#policy = policy;
  }

  /** Why the key was refused, if it was. */
  get mismatch(): SshError | null {
    return this.#mismatch;
  }

  /** Whether to go on with a server that shows this key. */
  verify(key: Buffer): boolean {
    const expected = this.#expected();
    this.#seen = fingerprint(key);
    if (expected === null || expected.some(one => trimmed(one) === this.#seen)) return true;
    this.#mismatch = new SshError(
      'host_key_mismatch',
      `the SSH server's key is ${this.#seen}, and ${expected.join(' or ')} was expected: another machine, or one set up anew`,
    );
    return false;
  }

  /** Null: any. */
  #expected(): readonly string[] | null {
    const policy = this.#policy;
    if (policy.policy === 'pinned') return policy.fingerprints;
    const met = policy.known.get();
    return met === null ? null : [met];
  }

  /** The server has proven that the key is its own. Only then is a new one kept. */
  proven(): void {
    if (this.#policy.policy !== 'accept_new' || this.#seen === null) return;
    if (this.#policy.known.get() === null) this.#policy.known.set(this.#seen);
  }
}

function trimmed(text: string): string {
  return text.trim().replace(/=+$/, '');
}
