import { createHmac } from 'node:crypto';
import { fingerprint, hostKeyAlgorithms } from './host-key.ts';

/** A key that a host is known by. */
interface KnownHostKey {
  /** `ssh-ed25519`, … */
  type: string;
  /** `SHA256:…` */
  fingerprint: string;
}

interface KnownHost {
  keys: readonly KnownHostKey[];
  /** What else the file has for this host and cannot be used: `sk-ssh-ed25519@openssh.com`, `@revoked ssh-rsa`, … */
  unusable: readonly string[];
}

/**
 * What OpenSSH's `known_hosts` has for a host (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): by name, pattern or hashed name.
 * A line that is damaged is passed over, as OpenSSH does.
 */
export function knownHost(text: string, host: string, port: number): KnownHost {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const keys: KnownHostKey[] = [];
  const revoked = new Set<string>();
  const unusable = new Set<string>();
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') ? `${fields.shift()} ` : '';
    const [names = '', type = '', base64 = ''] = fields;
    if (names.startsWith('#') || !matches(names, name)) continue;
    const key = Buffer.from(base64, 'base64');
    if (type === '' || typeIn(key) !== type) continue;
    const known = { type, fingerprint: fingerprint(key) };
    if (marker === '@revoked ') revoked.add(known.fingerprint);
    if (marker === '' && hostKeyAlgorithms(type).length > 0) keys.push(known);
    else unusable.add(marker + type);
  }
  return { keys: keys.filter(key => !revoked.has(key.fingerprint)), unusable: [...unusable] };
}

/** A key begins with its type: four bytes of length, then the name (RFC 4253, 6.6). */
function typeIn(key: Buffer): string | null {
  return key.length < 4 ? null : key.toString('latin1', 4, 4 + key.readUInt32BE());
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
    // One for several: each would try all that the others do.
    .replaceAll(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`);
}
