import { createHash } from 'node:crypto';
import type { ServerHostKeyAlgorithm } from 'ssh2';

/** OpenSSH's fingerprint of a public key in SSH's own encoding: `SHA256:` and base64 without padding. */
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
