/** The contract again, over TLS and over SSH, and what can go wrong on the way: real libvirtd, real OpenSSH server. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { dialerOf, opener } from '../../src/app/host/libvirt.ts';
import { ConnectError } from '../../src/libvirt/errors.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { address, domainState, inLab, libvirtd } from '../lab/lab.ts';
import { type Sshd, startSshd } from '../lab/sshd.ts';
import { libvirtContract } from './libvirt.ts';
import { libvirtPowerContract } from './libvirt-power.ts';
import { qemu, release, testDriver, type Way } from './real-daemon.ts';

if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
const pki = (who: string) => fileURLToPath(new URL(`../lab/pki/${who}`, import.meta.url));
const sshd: Sshd = await startSshd();
const login = `keyfile=${sshd.keyFile}&known_hosts=${sshd.knownHosts}`;

const overTls: Way = {
  name: ', TLS',
  uri: (driver, path) => parseUri(`${driver}+tls://127.0.0.1${path}?pkipath=${pki('client')}`),
};
const overSsh: Way = {
  name: ', SSH',
  uri: (driver, path, socket) =>
    parseUri(`${driver}+ssh://root@127.0.0.1:${sshd.port}${path}?socket=${socket}&${login}`),
  dial: dialerOf,
};

afterAll(() => sshd[Symbol.asyncDispose]());

for (const way of [overTls, overSsh]) {
  libvirtContract(testDriver(way));
  libvirtPowerContract(testDriver(way));
  libvirtContract(qemu(way));
}

const open = (uri: string, readOnly = false) => opener({ uri, readOnly })();
const failure = (uri: string) =>
  open(uri).then(
    () => null,
    error => error,
  );

describe('TLS', () => {
  test('by name, and read-only', async () => {
    await using client = await open(`qemu+tls://localhost/system?pkipath=${pki('client')}`, true);
    const [domain] = await client.domains();
    if (!domain) throw new Error('there is no domain');
    expect(domain.name).toBe(address.domain);
    await expect(client.start(domain)).rejects.toThrow(/read.?only/i);
  });

  test.each([
    ['a client of another CA', `127.0.0.1/system?pkipath=${pki('stranger')}`, /does not accept the client certificate/],
    ['a server of another CA', `127.0.0.1/system?pkipath=${pki('other')}`, /is not from the CA in cacert.pem/],
    [
      'a name that the certificate has not',
      `lab-${release}/system?pkipath=${pki('client')}`,
      /its certificate is for another name/,
    ],
    ['no certificates', '127.0.0.1/system?pkipath=/nowhere', /\/nowhere\/cacert.pem cannot be read/],
    ['nobody there', `127.0.0.1:9/system?pkipath=${pki('client')}`, /nobody listens: does libvirtd listen for TLS/],
  ])('%s', async (_, rest, words) => {
    const error = await failure(`qemu+tls://${rest}`);
    expect(error).toBeInstanceOf(ConnectError);
    expect(error.message).toMatch(words);
  });

  test('the daemon dies, and is back', async () => {
    const uri = `qemu+tls://127.0.0.1/system?pkipath=${pki('client')}`;
    await using client = await open(uri);
    const closed = new Promise(resolve => client.onClosed(resolve));
    await libvirtd.kill();
    await closed;
    expect(await failure(uri)).toBeInstanceOf(ConnectError);
    await libvirtd.start();
    await using again = await open(uri);
    expect(await again.type()).toBe('QEMU');
  });
});

describe('SSH', () => {
  const at = (query: string, where = `root@127.0.0.1:${sshd.port}`) => `qemu+ssh://${where}/system?${query}`;

  test('the usual sockets of the other machine are found', async () => {
    await using client = await open(at(login), true);
    expect(await client.type()).toBe('QEMU');
  });

  test.each([
    ['no such socket', at(`${login}&socket=/nowhere`), /no libvirt socket at \/nowhere there/],
    ['no key', at(`keyfile=/nowhere&known_hosts=${sshd.knownHosts}`), /\/nowhere cannot be read/],
    ['a user that is not there', at(login, `nobody-is-called-so@127.0.0.1:${sshd.port}`), /refuses the login/],
    ['nobody there', at(login, 'root@127.0.0.1:9'), /127.0.0.1 is not in .*known_hosts: ssh-keyscan -p 9 127.0.0.1/],
  ])('%s', async (_, uri, words) => {
    const error = await failure(uri);
    expect(error).toBeInstanceOf(ConnectError);
    expect(error.message).toMatch(words);
  });

  test('a host that shows another key', async () => {
    await using other = await startSshd();
    const known = `${other.knownHosts}-mixed`;
    const line = (await readFile(other.knownHosts, 'utf8')).replace(`:${other.port}`, `:${sshd.port}`);
    await writeFile(known, line);
    try {
      const error = await failure(at(`keyfile=${sshd.keyFile}&known_hosts=${known}`));
      expect(error.message).toMatch(/SSH to root@127.0.0.1: the SSH server's key is SHA256:.* was expected/);
    } finally {
      await rm(known);
    }
  });

  test('a server that forwards nothing', async () => {
    await using strict = await startSshd(['AllowStreamLocalForwarding no']);
    const query = `keyfile=${strict.keyFile}&known_hosts=${strict.knownHosts}`;
    const error = await failure(at(query, `root@127.0.0.1:${strict.port}`));
    expect(error.message).toMatch(/AllowStreamLocalForwarding/);
  });

  test('the way breaks, and is mended', async () => {
    await using client = await open(at(login));
    const closed = new Promise(resolve => client.onClosed(resolve));
    await sshd.kill();
    await closed;
    expect(await failure(at(login))).toBeInstanceOf(ConnectError);
    await sshd.start();
    await using again = await open(at(login));
    expect(await again.type()).toBe('QEMU');
    expect(await domainState()).toMatch(/running|shut off/);
  });
});
