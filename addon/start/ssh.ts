import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import ssh2 from 'ssh2';
import { writeOwn } from './files.ts';

/** The app's key for libvirt's host, and that host's key for the app. OpenSSH's formats. */

export interface SshPlace {
  host: string;
  port: number;
  user: string;
  /** The URI names no `keyfile`: the app has a key of its own. */
  ownKey: boolean;
  /** The URI names no `known_hosts`: the app learns the host's key by itself. */
  ownHosts: boolean;
}

/** Null: libvirt is not reached by SSH. */
export function sshPlace(uri: string): SshPlace | null {
  const form = /^[a-z]+\+ssh:\/\/(?:([^@/?]+)@)?(?:\[([^\]]+)\]|([^:/?]+))(?::(\d{1,5}))?(?:\/[^?]*)?(?:\?(.*))?$/;
  const [match, user = 'root', six, name = '', port = '22', query = ''] = form.exec(uri) ?? [];
  if (match === undefined) return null;
  const parameters = new URLSearchParams(query);
  return {
    ...{ host: six ?? name, port: Number(port), user },
    ownKey: !parameters.has('keyfile'),
    ownHosts: !parameters.has('known_hosts'),
  };
}

/** The public half of the key in this file, which is made if it is not there. */
export async function ownKey(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    const made = newKey();
    await writeOwn(file, made);
    return made;
  });
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error) throw new Error(`${file} is no key: ${key.message}`);
  return `${key.type} ${key.getPublicSSH().toString('base64')} dsm2mqtt`;
}

/** The library makes one in some hundred that it cannot read itself. */
function newKey(): string {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment: 'dsm2mqtt' });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair.private;
  }
}

/** A line for a shell: with this key one reaches libvirt's socket, and gets neither a shell nor a terminal. */
export function loginLine(publicKey: string): string {
  const entry = `restrict,port-forwarding,command="/bin/false" ${publicKey}`;
  // An empty line first: the last line that is there may lack its end.
  const append = `printf '\\n%s\\n' '${entry}' >> ~/.ssh/authorized_keys`;
  return `mkdir -p -m 700 ~/.ssh && ${append} && chmod 600 ~/.ssh/authorized_keys`;
}

interface Acquaintance {
  host: string;
  port: number;
  /** `SHA256:…`, as `ssh-keygen -l` prints it; null: any key at the first connection, and that one ever after. */
  expected: string | null;
  /** `known_hosts`. */
  file: string;
  say: (text: string) => void;
}

/** Makes sure that the file knows the host. False: not yet, the host does not answer or has another key. */
export async function knowHost({ host, port, expected, file, say }: Acquaintance): Promise<boolean> {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  const others = lines.filter(line => line.split(' ')[0] !== name);
  const [, , known] = lines.find(line => line.split(' ')[0] === name)?.split(' ') ?? [];
  if (known !== undefined) {
    if (fits(Buffer.from(known, 'base64'), expected)) return true;
    // Before the host is asked: the bridge must not meanwhile trust the key that `expected` rules out.
    await writeOwn(file, others.map(line => `${line}\n`).join(''));
  }
  let key: Buffer;
  try {
    key = await offeredKey(host, port);
  } catch (error) {
    say(`The key of ${host} is not known yet: ${(error as Error).message}`);
    return false;
  }
  if (!fits(key, expected)) {
    say(`${host} has the key ${fingerprint(key)}, and host_key says ${expected}: it is not trusted`);
    return false;
  }
  await writeOwn(file, `${[...others, `${name} ${typeOf(key)} ${key.toString('base64')}`].join('\n')}\n`);
  const compare = 'to compare, run there: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub';
  say(`${host} has the key ${fingerprint(key)}, and is trusted with it from now on${expected ? '' : `; ${compare}`}`);
  return true;
}

function fits(key: Buffer, expected: string | null): boolean {
  return expected === null || fingerprint(key) === expected.trim().replace(/=+$/, '');
}

function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** A key begins with its type: four bytes of length, then the name (RFC 4253, 6.6). */
function typeOf(key: Buffer): string {
  return key.toString('latin1', 4, 4 + key.readUInt32BE());
}

/** The key that a server says is its own. Ends before a login. */
async function offeredKey(host: string, port: number): Promise<Buffer> {
  const client = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const hostVerifier = (key: Buffer) => {
    resolve(key);
    return false;
  };
  // It also tells of the refusal above, once the promise is kept.
  client.on('error', reject);
  try {
    client.connect({ host, port, username: 'dsm2mqtt', readyTimeout: 5_000, hostVerifier });
    return await promise;
  } finally {
    client.destroy();
  }
}
