import { isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Followed, follow, nextPlace } from '../../../src/checks/http/follow.ts';
import type { Place } from '../../../src/checks/http/get.ts';
import { anyUnit } from '../any-unit.ts';
import { address, closedPort, ownCertificate, type Peer, redirect, startPages } from './peer.ts';

const { signal } = new AbortController();

function visit({ port }: Peer, path = '/'): Promise<Followed> {
  return follow({ address, name: null, port, secure: false, path }, { timeout: 5_000, signal });
}

test('goes where it is sent, by path and by address', async () => {
  await using secure = await startPages({ '/there': 'arrived' }, ownCertificate);
  await using peer = await startPages({
    '/': redirect('webman/a?b=c', 301),
    '/webman/a': redirect('../d', 307),
    '/d': redirect(`https://${address}:${secure.port}/there`, 308),
  });
  expect(await visit(peer)).toMatchObject({
    result: { failure: null, status: 200, body: 'arrived' },
    at: { port: secure.port, secure: true, path: '/there' },
    hops: 3,
    stopped: null,
  });
  expect(peer.asked).toEqual(['/', '/webman/a?b=c', '/d']);
});

test('a circle is seen when it closes', async () => {
  await using peer = await startPages({ '/': redirect('/a'), '/a': redirect('/b'), '/b': redirect('/a') });
  expect(await visit(peer)).toMatchObject({ stopped: 'loop', hops: 2, at: { path: '/b' }, result: { status: 302 } });
  expect(peer.asked).toEqual(['/', '/a', '/b']);
});

test('five times, and no more', async () => {
  let count = 0;
  await using peer = await startPages(
    Object.fromEntries(
      Array.from({ length: 9 }, (_, index) => [
        `/${index}`,
        (request, response) => {
          count += 1;
          redirect(`/${index + 1}`)(request, response);
        },
      ]),
    ),
  );
  expect(await visit(peer, '/0')).toMatchObject({ stopped: 'too_many', hops: 5 });
  expect(count).toBe(6);
});

test('a name is asked for at the same address, at any port, and stays the name behind a relative redirect', async () => {
  await using other = await startPages({ '/': redirect('/page'), '/page': 'here' });
  await using peer = await startPages({ '/': redirect(`http://user:secret@nas.example:${other.port}/`) });
  expect(await visit(peer)).toMatchObject({
    result: { body: 'here' },
    at: { name: 'nas.example', port: other.port },
    hops: 2,
  });
  expect(other.requests.map(({ headers }) => headers.host)).toEqual(Array(2).fill(`nas.example:${other.port}`));
  expect(JSON.stringify(other.requests.map(({ rawHeaders }) => rawHeaders))).not.toMatch(/secret|authorization/i);
});

test('another address is named, and nobody goes there', async () => {
  await using peer = await startPages({ '/': redirect('http://127.0.0.9/') });
  expect(await visit(peer)).toMatchObject({ stopped: { elsewhere: '127.0.0.9' }, hops: 0, result: { status: 302 } });
});

test('a port behind a redirect that does not answer', async () => {
  const closed = await closedPort();
  await using peer = await startPages({ '/': redirect(`http://${address}:${closed}/`) });
  const result = { failure: 'refused', accepted: false };
  expect(await visit(peer)).toMatchObject({ result, hops: 1, at: { port: closed } });
});

test('the deadline is for all of it', async () => {
  await using peer = await startPages({ '/': redirect('/slow'), '/slow': () => {} });
  const target = { address, name: null, port: peer.port, secure: false, path: '/' };
  expect(await follow(target, { timeout: 200, signal })).toMatchObject({ result: { failure: 'timeout' }, hops: 1 });
});

const at = { name: null, port: 5000, secure: false, path: '/webman/index.cgi?a=b' };

test.each<[string, Partial<Place> | { elsewhere: string } | null]>([
  ['/', { path: '/' }],
  ['desktop', { path: '/webman/desktop' }],
  ['?c=d', { path: '/webman/index.cgi?c=d' }],
  ['//10.0.0.9/x', { port: 80, path: '/x' }],
  ['https://10.0.0.9:5001/', { port: 5001, secure: true, path: '/' }],
  ['https://10.0.0.9', { port: 443, secure: true, path: '/' }],
  ['HTTPS://NAS:5001/#/signin', { name: 'nas', port: 5001, secure: true, path: '/' }],
  ['https://nas.local:5443/', { name: 'nas.local', port: 5443, secure: true, path: '/' }],
  ['https://nas.example/', { name: 'nas.example', port: 443, secure: true, path: '/' }],
  ['https://grün.example/', { name: 'xn--grn-ioa.example', port: 443, secure: true, path: '/' }],
  ['https://user:secret@nas.local:5001/', { name: 'nas.local', port: 5001, secure: true, path: '/' }],
  ['/grün\t\r\nX: y', { path: '/gr%C3%BCnX:%20y' }],
  ['http://10.0.0.8:5000/', { elsewhere: '10.0.0.8' }],
  ['http://0x0a000008:5000/', { elsewhere: '10.0.0.8' }],
  ['http://[::1]:5000/', { elsewhere: '[::1]' }],
  ['ftp://10.0.0.9/', { elsewhere: 'ftp:' }],
  ['javascript:alert(1)', { elsewhere: 'javascript:' }],
  ['file:///etc/passwd', { elsewhere: 'file:' }],
  ['http://10.0.0.9:99999/', null],
  ['http://', null],
  [`http://${'a.'.repeat(127)}/`, null],
])('%s', (location, expected) => {
  const whole = expected === null || 'elsewhere' in expected ? expected : { ...at, ...expected };
  expect(nextPlace('10.0.0.9', at, location)).toEqual(whole);
});

test('any location leads to this machine, or nowhere', () => {
  const scrap = fc.constantFrom(' ', ...'http:// https: // nas :5000 10.0.0.9 / ? # \\ @ %zz'.split(' '));
  const location = fc.oneof(
    fc.string({ unit: anyUnit }),
    fc.array(scrap, { maxLength: 9 }).map(all => all.join('')),
  );
  fc.assert(
    fc.property(location, text => {
      const next = nextPlace('10.0.0.9', at, text);
      if (next === null || 'elsewhere' in next) return true;
      // What Node sends as a path, and as a host.
      const sent = /^\/[!-~]*$/.test(next.path) && next.port >= 0 && next.port < 65_536;
      return (
        sent && (next.name === null || (isIP(next.name) === 0 && new URL(`http://${next.name}`).hostname === next.name))
      );
    }),
    { numRuns: 1_000 },
  );
});
