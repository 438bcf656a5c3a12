/** Pages with an expected status, over http and https: whatever answers, the sentence says what is wrong. */
import { expect, test, vi } from 'vitest';
import { type HttpCheck, http } from '../../../src/checks/probes/http.ts';
import {
  address,
  closedPort,
  oldCertificate,
  ownCertificate,
  redirect,
  startHttp,
  startPages,
  startRaw,
  status,
} from '../http/peer.ts';

const page: HttpCheck = { port: 0, tls: false, path: '/', host: null, status: 200 };

function probe(pages: readonly Partial<HttpCheck>[], { timeout = 5_000, signal = new AbortController().signal } = {}) {
  return http({ address, pages: pages.map(each => ({ ...page, ...each })) }, { timeout, signal });
}

test('a page with the expected status, asked for by name, path and query', async () => {
  await using peer = await startPages({ '/health': status(204) });
  const { port } = peer;
  const found = await probe([{ port, host: 'shop.lan', path: '/health?full', status: 204 }]);
  expect(found).toMatchObject({ kind: 'ok', ms: expect.any(Number), certificateDays: null });
  expect(found.explanation).toBe(`http://shop.lan:${port}/health?full answers with HTTP 204.`);
  expect(peer.requests[0]?.headers.host).toBe(`shop.lan:${port}`);
});

test('a certificate of its own will do; its days are told', async () => {
  await using peer = await startPages({ '/': 'here' }, ownCertificate);
  const found = await probe([{ port: peer.port, tls: true }]);
  expect(found.kind).toBe('ok');
  expect(found.explanation).toMatch(/ answers with HTTP 200; its certificate is valid until \d{4}-\d\d-\d\d\.$/);
  const [until = ''] = /\d{4}-\d\d-\d\d/.exec(found.explanation) ?? [];
  expect(found.certificateDays).toBeCloseTo((Date.parse(until) - Date.now()) / 86_400_000, -0.5);
});

test('one that has expired will not, nor one that is not valid yet', async () => {
  await using expired = await startPages({ '/': 'here' }, oldCertificate);
  const found = await probe([{ port: expired.port, tls: true }]);
  expect(found).toMatchObject({ kind: 'expired', explanation: expect.stringMatching(/ expired on \d{4}-/) });
  expect(found.certificateDays).toBeLessThan(0);
  await using own = await startPages({ '/': 'here' }, ownCertificate);
  vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2001-01-01'));
  const early = await probe([{ port: own.port, tls: true }]).finally(() => vi.restoreAllMocks());
  expect(early).toMatchObject({ kind: 'expired', explanation: expect.stringContaining('is valid only from 20') });
});

test('another status is told, and where a redirect leads, which is not followed', async () => {
  await using peer = await startPages({ '/': redirect('https://elsewhere.lan/login'), '/broken': status(500) });
  const { port } = peer;
  expect(await probe([{ port }])).toMatchObject({
    kind: 'wrong',
    explanation: `http://${address}:${port}/ answers with HTTP 302 and leads to https://elsewhere.lan/login, not with 200.`,
  });
  expect((await probe([{ port, path: '/broken' }])).explanation).toContain('answers with HTTP 500, not with 200.');
  expect(await probe([{ port, status: 302 }])).toMatchObject({ kind: 'ok' });
  expect(peer.asked).toEqual(['/', '/broken', '/']);
});

test.each([
  ['something else than HTTP', 'SSH-2.0-x\r\n', 'what answers is no web server'],
  ['endless headers', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(10_000)}`, 'what answers is no web server'],
  ['nothing', '', 'drops them before a page comes'],
])('%s', async (_, bytes, why) => {
  await using peer = await startRaw(socket => socket.once('data', () => socket.end(bytes)));
  const explanation = `Port ${peer.port} accepts connections, but ${why}.`;
  expect(await probe([{ port: peer.port }])).toMatchObject({ kind: 'mute', ms: null, explanation });
});

test('a port that accepts and says nothing is left in time, plain or with TLS', async () => {
  await using peer = await startRaw(socket => socket.resume());
  for (const tls of [false, true]) {
    const { kind, explanation } = await probe([{ port: peer.port, tls }], { timeout: 50 });
    expect([kind, explanation]).toEqual(['mute', `Port ${peer.port} accepts connections, but no page comes in time.`]);
  }
  await peer.quiet();
});

test('no TLS where it should be, or TLS without a certificate', async () => {
  await using plain = await startPages({ '/': 'here' });
  await using bare = await startHttp((_, response) => void response.end(), { ciphers: 'DEFAULT' });
  for (const { port } of [plain, bare]) {
    const explanation = `Port ${port} accepts connections, but does not speak https.`;
    expect(await probe([{ port, tls: true }])).toMatchObject({ kind: 'mute', explanation, certificateDays: null });
  }
});

test('of several pages the worst counts, all that fail are told, and the soonest certificate', async () => {
  await using good = await startPages({ '/': 'here' }, ownCertificate);
  await using old = await startPages({ '/': 'here' }, oldCertificate);
  const port = await closedPort();
  const found = await probe([{ port: good.port, tls: true }, { port: old.port, tls: true }, { port }]);
  expect(found.kind).toBe('some');
  expect(found.explanation).toMatch(new RegExp(`expired on .*\\. Port ${port} does not accept connections\\.$`));
  expect(found.certificateDays).toBeLessThan(0);
  expect(await probe([{ port }, { port }])).toMatchObject({ kind: 'refused' });
});

test('it ends at once when it is told to', async () => {
  await using peer = await startRaw(() => {});
  const abort = new AbortController();
  const asked = probe([{ port: peer.port }], { signal: abort.signal });
  const ended = expect(asked).rejects.toThrow('enough');
  abort.abort(new Error('enough'));
  await ended;
});
