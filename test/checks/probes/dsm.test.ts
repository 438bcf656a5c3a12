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

/** The same answer to every question. */
const always = (page: Pages[string]): Pages => Object.fromEntries(Object.values(at).map(path => [path, page]));
const html = always(pages.dsm7);
const api = { [at.query]: apiInfo };
const pong = (...said: Parameters<typeof pingpong>) => ({ [at.pingpong]: pingpong(...said) });
const waits = (...said: Parameters<typeof state>) => ({ [at.state]: state(...said) });
const hang = () => {};

test.each<[kind: string, sentence: string, answers: Pages]>([
  ['ready', 'DSM answers on port PORT and has finished booting.', { ...pong(true), ...api }],
  ['ready', 'DSM answers on port PORT.', api],
  ['ready', 'DSM answers on port PORT.', { [at.entry]: apiInfo }],
  ['ready', 'DSM answers on port PORT.', { ...html, [at.entry]: apiInfo }],
  ['ready', 'DSM answers on port PORT.', { ...api, [at.pingpong]: '{"boot_do' }],
  ['ready', 'DSM answers on port PORT.', { ...api, [at.pingpong]: status(403) }],
  ['starting', 'DSM answers on port PORT, but has not finished booting.', { ...pong(false), ...api }],
  [
    'mute',
    "DSM's web server answers on port PORT, but its API does not.",
    { ...html, ...pong(true), [at.query]: status(502) },
  ],
  ['mute', 'The web server on port PORT runs, but DSM behind it does not answer (HTTP 502).', always(status(502))],
  [
    'asleep',
    'DSM answers on port PORT, and its disks are asleep; it was asked nothing more.',
    { ...pong(true, true), ...api },
  ],
  ['installer', 'No DSM is installed, and the Web Assistant on port PORT waits.', waits('not_install')],
  ['installer', 'DSM does not run, and the Web Assistant on port PORT waits.', { ...html, ...waits('what_else') }],
  // As Synology words it; and of a disk that is gone, with the status of when it was there.
  ['no_disk', 'DSM sees no disk, says the Web Assistant on port PORT.', { [at.state]: stateWithoutDisk }],
  ['no_disk', 'DSM sees no disk, says the Web Assistant on port PORT.', waits('sys_migrat', {}, { has_disk: 'false' })],
  [
    'small_disk',
    'No disk is large enough for DSM, says the Web Assistant on port PORT.',
    waits('not_install', { disk_size_enough: false }),
  ],
  ['recoverable', 'DSM is damaged, and the Web Assistant on port PORT offers to repair it.', waits('sys_crash')],
  [
    'migratable',
    'The disks come from another machine, and the Web Assistant on port PORT offers to migrate them.',
    waits('sys_migrat'),
  ],
  [
    'updating',
    'DSM is being installed or updated, says the Web Assistant on port PORT.',
    waits('not_install', { is_installing: true }),
  ],
  ['other', "Port PORT answers, but not in DSM's words (HTTP 200).", html],
  ['other', "Port PORT answers, but not in DSM's words (HTTP 404).", {}],
  ['other', "Port PORT answers, but not in DSM's words (HTTP 500).", always(status(500))],
  ['other', "Port PORT answers, but not in DSM's words (HTTP 204).", always(status(204, ''))],
  ['other', "Port PORT answers, but not in DSM's words (HTTP 302).", always(redirect(''))],
])('%s: %s', async (kind, sentence, answers) => {
  await using peer = await startPages(answers);
  const { ms, identity, ...finding } = await probe(peer);
  expect(finding).toEqual({ kind, explanation: sentence.replace('PORT', String(peer.port)) });
  expect(ms).toEqual(expect.any(Number));
  expect(identity?.model).toBe(sentence.includes('Web Assistant') ? 'DS918+' : undefined);
  expect(JSON.stringify({ identity, finding })).not.toContain('SERIAL');
  await peer.quiet();
});

test('nothing more is asked than is needed', async () => {
  await using asleep = await startPages(pong(true, true));
  await probe(asleep);
  expect(asleep.asked).toEqual(['/webman/pingpong.cgi?action=cors']);

  await using ready = await startPages({ ...pong(true), ...api });
  await probe(ready);
  expect(ready.asked).toEqual([
    '/webman/pingpong.cgi?action=cors',
    '/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth',
  ]);
  expect(ready.requests[0]?.headers.referer).toBe(`http://${address}:${ready.port}/`);
});

test('https with a certificate of its own', async () => {
  await using peer = await startPages({ ...pong(true), ...api }, ownCertificate);
  expect(await probe(peer, { secure: true })).toMatchObject({ kind: 'ready' });
  expect(peer.requests[0]?.headers.referer).toBe(`https://${address}:${peer.port}/`);
  expect(await probe(peer)).toMatchObject({
    kind: 'silent',
    ms: null,
    explanation: `Port ${peer.port} accepts connections, but drops them without an answer.`,
  });
});

test('a pingpong that hangs leaves time for the rest', async () => {
  await using peer = await startPages({ ...api, [at.pingpong]: hang });
  expect(await probe(peer, { timeout: 600 })).toMatchObject({ kind: 'ready' });
});

test('an API that hangs after a pingpong', async () => {
  await using peer = await startPages({ ...pong(true), [at.query]: hang });
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
  await using peer = await startPages(always(long));
  expect(await probe(peer)).toMatchObject({ kind: 'other' });
  await peer.quiet();
});
