import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utils } from 'ssh2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dialerOf, isLocal } from '../../src/app/host/libvirt.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { eventually } from '../eventually.ts';
import { newKeyPair } from '../fakes/ssh-key.ts';
import { type Sshd, startSshd } from '../fakes/sshd.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dialing-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const hostKey = newKeyPair();
const skKey = (type: string) => {
  const text = Buffer.from(type);
  return `${type} ${Buffer.concat([Buffer.from([0, 0, 0, text.length]), text]).toString('base64')}`;
};

/** Dials as the bridge does; resolves to why there was no stream. */
async function dialled(server: Sshd, known: readonly string[]): Promise<string> {
  const files = { keyfile: join(folder, 'key'), known_hosts: join(folder, 'known_hosts') };
  await writeFile(files.keyfile, newKeyPair().private);
  await writeFile(files.known_hosts, known.map(key => `[127.0.0.1]:${server.port} ${key}\n`).join(''));
  const uri = `qemu+ssh://root@127.0.0.1:${server.port}/system?${new URLSearchParams(files)}`;
  const dial = dialerOf(parseUri(uri, { readOnly: false, runtimeDir: undefined, home: folder }));
  return dial?.(new AbortController().signal).then(
    () => 'a stream',
    error => (error as Error).message,
  ) as Promise<string>;
}

function publicKey(): string {
  const key = utils.parseKey(hostKey.private);
  if (key instanceof Error) throw key;
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
}

test('a host key of a type that SSH here does not know, beside a good one: the good one is used', async () => {
  await using server = await startSshd({ hostKey: hostKey.private, login: context => context.accept() });
  const why = await dialled(server, [skKey('sk-ssh-ed25519@openssh.com'), publicKey()]);
  // Logged in; the server here has no libvirt.
  expect(why).toContain('no libvirt socket');
  expect(server.logins).toEqual(['root none']);
  await eventually(() => expect(server.open()).toBe(0));
});

test('no usable host key: the file, the host and the types are named, and nobody is called', async () => {
  await using server = await startSshd({ hostKey: hostKey.private });
  const why = await dialled(server, [skKey('sk-ssh-ed25519@openssh.com'), `@x`, skKey('sk-ecdsa@openssh.com')]);
  expect(why).toContain(join(folder, 'known_hosts'));
  expect(why).toContain(
    'no key of 127.0.0.1 that can be used here, only sk-ssh-ed25519@openssh.com, sk-ecdsa@openssh.com',
  );
  expect(why).toContain(`ssh-keyscan -p ${server.port} 127.0.0.1`);
  expect(server.connections()).toBe(0);
});

test.each([
  ['qemu:///system', null, true],
  ['qemu:///system', 'other', true],
  ['qemu:///system?socket=/run/nas/libvirt-sock', 'here.lan', true],
  ['qemu+unix:///system?socket=/run/nas/libvirt-sock', 'HERE', true],
  // Forwarded by `ssh -L`, or not known yet.
  ['qemu:///system?socket=/run/nas/libvirt-sock', 'nas', false],
  ['qemu:///system?socket=/run/nas/libvirt-sock', null, false],
  ['qemu+ssh://root@nas/system', 'here', false],
  ['qemu+tls://nas/system', 'here', false],
])('%s, whose host is %j: this machine is %j', (uri, host, local) => {
  expect(isLocal({ uri, readOnly: false }, host, 'here')).toBe(local);
});
