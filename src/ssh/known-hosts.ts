import { createHmac } from 'node:crypto';
import { fingerprint, hostKeyAlgorithms } from './host-key.ts';

/**
 * What OpenSSH's `known_hosts` has for a host (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): by name, pattern or hashed name.
 * A line that is damaged is passed over, as OpenSSH does. Unusable is `sk-ssh-ed25519@openssh.com`, `@revoked ssh-rsa`, …
 */
export function knownHost(text: string, host: string, port: number) {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const keys: { type: string; fingerprint: string }[] = [];
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
  const fits = (pattern: string) => isLike(name, pattern);
  if (patterns.some(pattern => pattern.startsWith('!') && fits(pattern.slice(1)))) return false;
  return patterns.some(fits);
}

/** Whether all of `name` is as the pattern says, in which `*` and `?` stand for any (ssh_config(5), "PATTERNS"). */
function isLike(name: string, pattern: string): boolean {
  let [at, place] = [0, 0];
  // The latest `*`, and where what follows it is looked for. Earlier ones need not be tried again.
  let [star, from] = [-1, 0];
  while (place < name.length) {
    if (pattern[at] === '*') [star, at, from] = [at, at + 1, place];
    else if (pattern[at] === '?' || pattern[at] === name[place]) [at, place] = [at + 1, place + 1];
    else if (star === -1) return false;
    else [at, place, from] = [star + 1, from + 1, from + 1];
  }
  return /^\**$/.test(pattern.slice(at));
}
