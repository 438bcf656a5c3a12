import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { utils } from 'ssh2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { knowHost, loginLine, ownKey, sshPlace } from '../../addon/start/ssh.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { knownHost } from '../../src/ssh/known-hosts.ts';
import { newKeyPair } from '../fakes/ssh-key.ts';
import { startSshd } from '../fakes/sshd.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'addon-ssh-'));
});
afterEach(() => rm(folder, { recursive: true }));

test.each([
  'qemu+ssh://root@host.lan/system',
  'qemu+ssh://admin@host.lan:2222/system?keyfile=/config/key',
  'qemu+ssh://root@[fd00::1]:22/system?known_hosts=/config/hosts&socket=/run/x',
])('%s: the place is the bridge’s, and its files are the app’s', uri => {
  const bridge = parseUri(uri, { home: '/data' }).remote;
  if (bridge?.transport !== 'ssh') throw new Error('no ssh');
  const place = sshPlace(uri);
  expect(place).toMatchObject({ host: bridge.host, port: bridge.port, user: bridge.user });
  expect(place?.ownKey).toBe(bridge.keyFile === '/data/.ssh/id_ed25519');
  expect(place?.ownHosts).toBe(bridge.knownHosts === '/data/.ssh/known_hosts');
});

test.each(['', 'qemu:///system', 'qemu+tls://host.lan/system', 'nonsense'])('%j has no such place', uri => {
  expect(sshPlace(uri)).toBeNull();
});

test('a key is made once, for its owner alone', async () => {
  const file = join(folder, '.ssh', 'id_ed25519');
  const first = await ownKey(file);
  expect(first).toMatch(/^ssh-ed25519 [A-Za-z0-9+/]{68} dsm2mqtt$/);
  expect(await ownKey(file)).toBe(first);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, '.ssh'))).mode & 0o777).toBe(0o700);
  expect(utils.parseKey(await readFile(file))).not.toBeInstanceOf(Error);
});

test.each(['', 'ssh-ed25519 AAAA other\n', 'ssh-ed25519 AAAA a last line without its end'])(
  'the line for a shell adds the key to %j',
  async before => {
    const file = join(folder, '.ssh/authorized_keys');
    if (before !== '') {
      await mkdir(join(folder, '.ssh'));
      await writeFile(file, before);
    }
    await promisify(execFile)('sh', ['-c', loginLine('ssh-ed25519 BBBB dsm2mqtt')], { env: { HOME: folder } });
    const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean);
    const entry = 'restrict,port-forwarding,command="/bin/false" ssh-ed25519 BBBB dsm2mqtt';
    expect(lines).toEqual([...(before === '' ? [] : [before.trim()]), entry]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  },
);

test('a key is made only where there is none', async () => {
  await mkdir(join(folder, 'key'));
  await expect(ownKey(join(folder, 'key'))).rejects.toThrow(/EISDIR/);
});

test('a key that cannot be read is left alone', async () => {
  const file = join(folder, 'id_ed25519');
  await writeFile(file, 'damaged');
  await expect(ownKey(file)).rejects.toThrow(/is no key/);
  expect(await readFile(file, 'utf8')).toBe('damaged');
});

/** What the file knows of the server afterwards, and what was said. */
async function meet(server: { host: string; port: number }, expected: string | null = null) {
  const said: string[] = [];
  const file = join(folder, 'known_hosts');
  const known = await knowHost({ ...server, expected, file, say: text => said.push(text) });
  const text = await readFile(file, 'utf8').catch(() => '');
  return {
    known,
    said: said.join('\n'),
    keys: knownHost(text, server.host, server.port).keys.map(key => key.fingerprint),
  };
}

test('the key of the first connection is trusted, and no other one after it', async () => {
  await using server = await startSshd();
  const { host, port, fingerprint } = server;
  const first = await meet(server);
  expect(first).toMatchObject({ known: true, keys: [fingerprint], said: expect.stringContaining(fingerprint) });
  expect(server.logins).toEqual([]);
  await server[Symbol.asyncDispose]();
  await using _ = await startSshd({ host, port, hostKey: newKeyPair().private });
  expect(await meet(server)).toEqual({ known: true, said: '', keys: [fingerprint] });
});

test('with a fingerprint only that key is trusted; a new fingerprint replaces an old key', async () => {
  await using server = await startSshd();
  const { host, port, fingerprint } = server;
  const wrong = `SHA256:${'A'.repeat(43)}`;
  expect(await meet(server, wrong)).toMatchObject({
    known: false,
    keys: [],
    said: expect.stringContaining(fingerprint),
  });
  expect(await meet(server, `${fingerprint}=`)).toMatchObject({ known: true, keys: [fingerprint] });
  await server[Symbol.asyncDispose]();
  await using second = await startSshd({ host, port, hostKey: newKeyPair().private });
  expect(await meet(server, second.fingerprint)).toMatchObject({ known: true, keys: [second.fingerprint] });
});

test('a key that the fingerprint rules out is trusted no longer, whatever the host says now', async () => {
  const wanted = `SHA256:${'A'.repeat(43)}`;
  await using server = await startSshd();
  await meet(server);
  expect(await meet(server, wanted)).toMatchObject({ known: false, keys: [] });
  await meet(server);
  await server[Symbol.asyncDispose]();
  expect(await meet(server, wanted)).toMatchObject({ known: false, keys: [] });
});

test('a host that does not answer, or speaks no SSH, is not known yet', async () => {
  await using server = await startSshd({ gate: nth => (nth === 1 ? 'drop' : 'serve') });
  expect(await meet(server)).toMatchObject({ known: false, keys: [], said: expect.stringContaining('not known yet') });
  expect(await meet(server)).toMatchObject({ known: true });
  expect(await meet({ host: '127.0.0.1', port: 9 })).toMatchObject({ known: false, keys: [] });
});
