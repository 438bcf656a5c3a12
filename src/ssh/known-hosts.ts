import { createHmac } from 'node:crypto';
import { fingerprint } from './host-key.ts';

/** A key that a host is known by. */
export interface KnownHostKey {
  /** `ssh-ed25519`, … */
  type: string;
  /** `SHA256:…` */
  fingerprint: string;
}

/**
 * The keys of a host in OpenSSH's `known_hosts` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): names, patterns and hashed
 * names. Certificate authorities are passed over; revoked keys count as unknown.
 */
export function knownKeys(text: string, host: string, port: number): KnownHostKey[] {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const keys: KnownHostKey[] = [];
  const revoked = new Set<string>();
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') ? fields.shift() : null;
    const [names = '', type = '', key = ''] = fields;
    if (names === '' || names.startsWith('#') || key === '' || marker === '@cert-authority') continue;
    if (!matches(names, name)) continue;
    const known = { type, fingerprint: fingerprint(Buffer.from(key, 'base64')) };
    if (marker === '@revoked') revoked.add(known.fingerprint);
    else keys.push(known);
  }
  return keys.filter(key => !revoked.has(key.fingerprint));
}

function matches(names: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(names);
  if (hashed) {
    const [, salt = '', hash] = hashed;
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
  }
  const patterns = names.toLowerCase().split(',');
  const fits = (pattern: string) => globToRegExp(pattern).test(name);
  if (patterns.some(pattern => pattern.startsWith('!') && fits(pattern.slice(1)))) return false;
  return patterns.some(fits);
}

function globToRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}
