import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Followed, follow, nextPlace } from '../../src/checks/http/follow.ts';
import { anyUnit } from './any-unit.ts';
import { address, closedPort, ownCertificate, type Peer, redirect, startPages } from './http-peer.ts';

const { signal } = new AbortController();

function visit({ port }: Peer, path = '/', ports: readonly number[] = []): Promise<Followed> {
  return follow({ address, port, secure: false, path }, { timeout: 5_000, signal }, ports);
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

test('a name is taken for this machine where the port is known to be its own', async () => {
  await using other = await startPages({ '/page': 'here' });
  await using peer = await startPages({ '/': redirect(`http://nas.example:${other.port}/page`) });
  expect(await visit(peer, '/', [other.port])).toMatchObject({ result: { body: 'here' }, at: { port: other.port } });
  expect(await visit(peer)).toMatchObject({ stopped: 'elsewhere', hops: 0, result: { status: 302 } });
  expect(other.asked).toEqual(['/page']);
});

test('a port behind a redirect that does not answer', async () => {
  const closed = await closedPort();
  await using peer = await startPages({ '/': redirect(`http://${address}:${closed}/`) });
  const result = { failure: 'refused', accepted: false };
  expect(await visit(peer)).toMatchObject({ result, hops: 1, at: { port: closed } });
});

test('the deadline is for all of it', async () => {
  await using peer = await startPages({ '/': redirect('/slow'), '/slow': () => {} });
  const target = { address, port: peer.port, secure: false, path: '/' };
  expect(await follow(target, { timeout: 200, signal })).toMatchObject({ result: { failure: 'timeout' }, hops: 1 });
});

const at = { port: 5000, secure: false, path: '/webman/index.cgi?a=b' };

test.each([
  ['/', { port: 5000, secure: false, path: '/' }],
  ['desktop', { port: 5000, secure: false, path: '/webman/desktop' }],
  ['?c=d', { port: 5000, secure: false, path: '/webman/index.cgi?c=d' }],
  ['//10.0.0.9/x', { port: 80, secure: false, path: '/x' }],
  ['https://10.0.0.9:5001/', { port: 5001, secure: true, path: '/' }],
  ['https://10.0.0.9', { port: 443, secure: true, path: '/' }],
  ['HTTPS://NAS:5001/#/signin', { port: 5001, secure: true, path: '/' }],
  ['https://nas.local:5443/', { port: 5443, secure: true, path: '/' }],
  ['https://user:secret@nas.local:5001/', { port: 5001, secure: true, path: '/' }],
  ['/grün\t\r\nX: y', { port: 5000, secure: false, path: '/gr%C3%BCnX:%20y' }],
  ['https://nas.example/', 'elsewhere'],
  ['http://10.0.0.8:5000/', 'elsewhere'],
  ['http://0x0a000008:5000/', 'elsewhere'],
  ['http://[::1]:5000/', 'elsewhere'],
  ['ftp://10.0.0.9/', 'elsewhere'],
  ['javascript:alert(1)', 'elsewhere'],
  ['file:///etc/passwd', 'elsewhere'],
  ['http://10.0.0.9:99999/', null],
  ['http://', null],
])('%s', (location, expected) => {
  expect(nextPlace('10.0.0.9', at, location, [5443])).toEqual(expected);
});

test('any location leads to this machine, or nowhere', () => {
  const scrap = fc.constantFrom(
    'http://',
    'https:',
    '//',
    'nas',
    ':5000',
    '10.0.0.9',
    '/',
    '?',
    '#',
    '\\',
    '@',
    '%zz',
    ' ',
  );
  const location = fc.oneof(
    fc.string({ unit: anyUnit }),
    fc.array(scrap, { maxLength: 9 }).map(all => all.join('')),
  );
  fc.assert(
    fc.property(location, text => {
      const next = nextPlace('10.0.0.9', at, text, []);
      if (next === null || next === 'elsewhere') return true;
      // What Node sends as a path.
      return /^\/[!-~]*$/.test(next.path) && next.port >= 0 && next.port < 65_536;
    }),
    { numRuns: 1_000 },
  );
});
