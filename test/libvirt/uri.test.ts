import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConnectError } from '../../src/libvirt/errors.ts';
import { unixDialer } from '../../src/libvirt/transport.ts';
import { parseUri } from '../../src/libvirt/uri.ts';

test.each([
  ['qemu:///system', {}, 'qemu:///system', ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock']],
  ['qemu+unix:///system', {}, 'qemu:///system', ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock']],
  [
    'qemu:///system',
    { readOnly: true },
    'qemu:///system',
    ['/run/libvirt/virtqemud-sock-ro', '/run/libvirt/libvirt-sock-ro'],
  ],
  [
    'qemu:///session',
    { readOnly: true, runtimeDir: '/run/user/1000' },
    'qemu:///session',
    ['/run/user/1000/libvirt/virtqemud-sock', '/run/user/1000/libvirt/libvirt-sock'],
  ],
  ['test:///default', {}, 'test:///default', ['/run/libvirt/virttestd-sock', '/run/libvirt/libvirt-sock']],
  ['qemu+unix:///system?socket=/tmp/a%20b+c', {}, 'qemu:///system', ['/tmp/a b+c']],
  ['qemu+unix:///system?socket=/x-ro', { readOnly: true }, 'qemu:///system', ['/x-ro']],
])('%s %o', (uri, context, name, sockets) => {
  expect(parseUri(uri, context)).toEqual({ name, sockets });
});

test.each([
  [
    'qemu+tls://host.lan/system',
    {
      host: 'host.lan',
      port: 16_514,
      ca: '/etc/pki/CA/cacert.pem',
      cert: '/etc/pki/libvirt/clientcert.pem',
      verify: true,
    },
  ],
  [
    'qemu+tls://[fd00::1]:1234/system?pkipath=/config/pki&no_verify=1',
    { host: 'fd00::1', port: 1_234, ca: '/config/pki/cacert.pem', key: '/config/pki/clientkey.pem', verify: false },
  ],
  [
    'qemu+ssh://root@host.lan/system',
    {
      host: 'host.lan',
      port: 22,
      user: 'root',
      keyFile: '/home/me/.ssh/id_ed25519',
      knownHosts: '/home/me/.ssh/known_hosts',
    },
  ],
  [
    'qemu+ssh://me@10.0.0.1:2222/system?keyfile=/k&known_hosts=/h',
    { host: '10.0.0.1', port: 2_222, user: 'me', keyFile: '/k', knownHosts: '/h' },
  ],
])('%s is elsewhere', (uri, remote) => {
  expect(parseUri(uri, { home: '/home/me' })).toMatchObject({ name: 'qemu:///system', remote });
});

test('a socket at the other end of SSH', () => {
  expect(parseUri('qemu+ssh://me@host/system?socket=/s').sockets).toEqual(['/s']);
  expect(parseUri('qemu+ssh://me@host/system', { readOnly: true }).sockets).toContain('/run/libvirt/libvirt-sock-ro');
});

test.each([
  ['', /not a libvirt URI/],
  ['/run/libvirt/libvirt-sock', /not a libvirt URI/],
  ['QEMU:///system', /not a libvirt URI/],
  ['qemu+tcp://host/system', /transport 'tcp' is not supported; .*\+tls or \+ssh/],
  ['qemu+tls:///system', /expected a host, as in qemu\+tls:\/\/nas-host.lan\/system/],
  ['qemu+tls://host:0/system', /port must be 1 to 65535/],
  ['qemu+tls://host/system?keyfile=/x', /unknown parameter 'keyfile'; supported here: pkipath, no_verify/],
  ['qemu+ssh://host/system', /name the user, as in qemu\+ssh:\/\/root@host\/system/],
  ['qemu+ssh://user@host/session', /a session is for its own machine alone/],
  ['qemu://host/system', /a unix socket has no host; write qemu:\/\/\/system/],
  ['qemu:///system?sokcet=/x', /unknown parameter 'sokcet'/],
  ['qemu:///session', /XDG_RUNTIME_DIR/],
])('%s is refused with a sentence', (uri, sentence) => {
  expect(() => parseUri(uri)).toThrow(TypeError);
  expect(() => parseUri(uri)).toThrow(sentence);
});

describe('dialling', () => {
  let folder: string;
  const signal = new AbortController().signal;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dial-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('the first socket that exists wins', async () => {
    await using server = createServer();
    await new Promise<void>(resolve => server.listen(join(folder, 'second'), resolve));
    const stream = await unixDialer([join(folder, 'first'), join(folder, 'second')])(signal);
    stream.destroy();
  });

  test('none exists', async () => {
    const dialling = unixDialer(['/nowhere/a', '/nowhere/b'])(signal);
    await expect(dialling).rejects.toThrow(/no libvirt socket at \/nowhere\/a or \/nowhere\/b/);
    await expect(dialling).rejects.toBeInstanceOf(ConnectError);
  });

  test('nobody listens at it', async () => {
    const path = join(folder, 'file');
    await writeFile(path, '');
    await expect(unixDialer([path])(signal)).rejects.toThrow(/nobody listens/);
  });

  test('the path is too long for a socket', async () => {
    await expect(unixDialer([`/${'x'.repeat(200)}`])(signal)).rejects.toBeInstanceOf(ConnectError);
  });

  test('aborted beforehand', async () => {
    await expect(unixDialer(['/x'])(AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
  });
});
