import { expect, test } from 'vitest';
import { dsm } from '../../../src/checks/probes/dsm.ts';
import { slow } from '../../eventually.ts';
import { apiInfo, pages, pingpong, state, stateWithoutDisk } from '../dsm-pages.ts';
import {
  address,
  closedPort,
  ownCertificate,
  type Pages,
  type Peer,
  redirect,
  startHttp,
  startPages,
  startRaw,
  status,
} from '../http/peer.ts';

const { signal } = new AbortController();

function probe({ port }: Pick<Peer, 'port'>, { secure = false, timeout = 5_000 } = {}) {
  return dsm({ address, port, secure, name: null, base: '' }, { timeout, signal });
}

const at = {
  pingpong: '/webman/pingpong.cgi',
  query: '/webapi/query.cgi',
  entry: '/webapi/entry.cgi',
  state: '/webman/get_state.cgi',
} as const;

const html = Object.fromEntries(Object.values(at).map(path => [path, pages.dsm7]));
const hang = () => {};

test.each<[string, string, Pages, string]>([
  [
    'ready',
    'DSM 7',
    { [at.pingpong]: pingpong(true), [at.query]: apiInfo },
    'DSM answers on port PORT and has finished booting.',
  ],
  ['ready', 'no pingpong', { [at.query]: apiInfo }, 'DSM answers on port PORT.'],
  ['ready', 'its second API', { [at.entry]: apiInfo }, 'DSM answers on port PORT.'],
  ['ready', 'HTML first', { ...html, [at.entry]: apiInfo }, 'DSM answers on port PORT.'],
  ['ready', 'half a pingpong', { [at.pingpong]: '{"boot_do', [at.query]: apiInfo }, 'DSM answers on port PORT.'],
  ['ready', 'no right to pingpong', { [at.pingpong]: status(403), [at.query]: apiInfo }, 'DSM answers on port PORT.'],
  [
    'starting',
    'still booting',
    { [at.pingpong]: pingpong(false), [at.query]: apiInfo },
    'DSM answers on port PORT, but has not finished booting.',
  ],
  [
    'mute',
    'no API yet',
    { ...html, [at.pingpong]: pingpong(true), [at.query]: status(502) },
    "DSM's web server answers on port PORT, but its API does not.",
  ],
  [
    'mute',
    'nothing behind nginx yet',
    Object.fromEntries(Object.values(at).map(path => [path, status(502)])),
    'The web server on port PORT runs, but DSM behind it does not answer (HTTP 502).',
  ],
  [
    'asleep',
    'disks that sleep',
    { [at.pingpong]: pingpong(true, true), [at.query]: apiInfo },
    'DSM answers on port PORT, and its disks are asleep; it was asked nothing more.',
  ],
  [
    'installer',
    'none installed',
    { [at.state]: state('not_install') },
    'No DSM is installed, and the Web Assistant on port PORT waits.',
  ],
  [
    'installer',
    'a new state',
    { ...html, [at.state]: state('what_else') },
    'DSM does not run, and the Web Assistant on port PORT waits.',
  ],
  [
    'no_disk',
    'an installer that sees no disk, as Synology words it',
    { [at.state]: stateWithoutDisk },
    'DSM sees no disk, says the Web Assistant on port PORT.',
  ],
  [
    'no_disk',
    'a disk that is gone, with the status of when it was there',
    { [at.state]: state('sys_migrat', {}, { has_disk: 'false' }) },
    'DSM sees no disk, says the Web Assistant on port PORT.',
  ],
  [
    'small_disk',
    'a disk that is too small',
    { [at.state]: state('not_install', { disk_size_enough: false }) },
    'No disk is large enough for DSM, says the Web Assistant on port PORT.',
  ],
  [
    'recoverable',
    'a broken system',
    { [at.state]: state('sys_crash') },
    'DSM is damaged, and the Web Assistant on port PORT offers to repair it.',
  ],
  [
    'migratable',
    'foreign disks',
    { [at.state]: state('sys_migrat') },
    'The disks come from another machine, and the Web Assistant on port PORT offers to migrate them.',
  ],
  [
    'updating',
    'an installation',
    { [at.state]: state('not_install', { is_installing: true }) },
    'DSM is being installed or updated, says the Web Assistant on port PORT.',
  ],
  ['other', 'HTML everywhere', html, "Port PORT answers, but not in DSM's words (HTTP 200)."],
  ['other', 'nothing there', {}, "Port PORT answers, but not in DSM's words (HTTP 404)."],
  [
    'other',
    'errors',
    Object.fromEntries(Object.values(at).map(path => [path, status(500)])),
    "Port PORT answers, but not in DSM's words (HTTP 500).",
  ],
  [
    'other',
    'empty answers',
    Object.fromEntries(Object.values(at).map(path => [path, status(204, '')])),
    "Port PORT answers, but not in DSM's words (HTTP 204).",
  ],
  [
    'other',
    'circles',
    Object.fromEntries(Object.values(at).map(path => [path, redirect(path)])),
    "Port PORT answers, but not in DSM's words (HTTP 302).",
  ],
])('%s: %s', async (kind, _, answers, sentence) => {
  await using peer = await startPages(answers);
  const { ms, identity, ...finding } = await probe(peer);
  expect(finding).toEqual({ kind, explanation: sentence.replace('PORT', String(peer.port)) });
  expect(ms).toEqual(expect.any(Number));
  expect(identity?.model).toBe(sentence.includes('Web Assistant') ? 'DS918+' : undefined);
  expect(JSON.stringify({ identity, finding })).not.toContain('SERIAL');
  await peer.quiet();
});

test('nothing more is asked than is needed', async () => {
  await using asleep = await startPages({ [at.pingpong]: pingpong(true, true) });
  await probe(asleep);
  expect(asleep.asked).toEqual(['/webman/pingpong.cgi?action=cors']);

  await using ready = await startPages({ [at.pingpong]: pingpong(true), [at.query]: apiInfo });
  await probe(ready);
  expect(ready.asked).toEqual([
    '/webman/pingpong.cgi?action=cors',
    '/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth',
  ]);
  expect(ready.requests[0]?.headers.referer).toBe(`http://${address}:${ready.port}/`);
});

test('https with a certificate of its own', async () => {
  await using peer = await startPages({ [at.pingpong]: pingpong(true), [at.query]: apiInfo }, ownCertificate);
  expect(await probe(peer, { secure: true })).toMatchObject({ kind: 'ready' });
  expect(peer.requests[0]?.headers.referer).toBe(`https://${address}:${peer.port}/`);
  expect(await probe(peer)).toMatchObject({
    kind: 'silent',
    ms: null,
    explanation: `Port ${peer.port} accepts connections, but drops them without an answer.`,
  });
});

test('a pingpong that hangs leaves time for the rest', async () => {
  await using peer = await startPages({ [at.pingpong]: hang, [at.query]: apiInfo });
  expect(await probe(peer, { timeout: 600 })).toMatchObject({ kind: 'ready' });
});

test('an API that hangs after a pingpong', async () => {
  await using peer = await startPages({ [at.pingpong]: pingpong(true), [at.query]: hang });
  expect(await probe(peer, { timeout: 300 })).toMatchObject({ kind: 'mute' });
  await peer.quiet();
});

test('all of it ends with its deadline', async () => {
  await using peer = await startHttp(hang);
  const began = performance.now();
  expect(await probe(peer, { timeout: 200 })).toMatchObject({
    kind: 'silent',
    ms: null,
    explanation: `Port ${peer.port} accepts connections, but DSM does not answer in time.`,
  });
  expect(performance.now() - began).toBeLessThan(slow);
  await peer.quiet();
});

test('a port that nobody listens on', async () => {
  const port = await closedPort();
  expect(await probe({ port })).toEqual({
    kind: 'silent',
    ms: null,
    explanation: `Port ${port} does not accept connections.`,
    identity: null,
  });
});

test('what is no web server', async () => {
  await using peer = await startRaw(socket => socket.end('SSH-2.0-OpenSSH_9.0\r\n'));
  expect(await probe(peer)).toMatchObject({ kind: 'silent', identity: null });
});

test('an answer of 10 MB', async () => {
  const long = (_: unknown, response: { end(body: string): void }) => response.end(`{"a":"${'a'.repeat(10_000_000)}"}`);
  await using peer = await startPages(Object.fromEntries(Object.values(at).map(path => [path, long])));
  expect(await probe(peer)).toMatchObject({ kind: 'other' });
  await peer.quiet();
});

test('an abort ends it at once', async () => {
  await using peer = await startHttp(hang);
  const abort = new AbortController();
  const target = { address, port: peer.port, secure: false, name: null, base: '' };
  const probing = dsm(target, { timeout: 60_000, signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(probing).rejects.toThrow('enough');
  await peer.quiet();
});
