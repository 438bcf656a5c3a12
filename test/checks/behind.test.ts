/** DSM behind whatever its owner may put before it: it is asked at its own address, and nowhere else. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { diagnose } from '../../src/checks/diagnosis/diagnose.ts';
import type { Cause } from '../../src/checks/diagnosis/diagnoses.ts';
import { examine } from '../../src/checks/engine/examine.ts';
import { kindsOf } from '../../src/checks/engine/state.ts';
import type { Findings } from '../../src/checks/finding.ts';
import { dsm } from '../../src/checks/probes/dsm.ts';
import { web } from '../../src/checks/probes/web.ts';
import type { Probes } from '../../src/checks/probes.ts';
import { unknownDsm } from '../../src/model/check.ts';
import { domain } from '../model/samples.ts';
import { apiInfo, pages, pingpong } from './dsm-pages.ts';
import {
  address,
  ownCertificate,
  type Pages,
  type Peer,
  redirect,
  startHttp,
  startPages,
  startRaw,
  status,
} from './http/peer.ts';
import { notAsked } from './ward.ts';

const running: Pages = {
  '/': pages.dsm7,
  '/webman/pingpong.cgi': pingpong(true),
  '/webapi/query.cgi': apiInfo,
};
const name = 'nas.example.com';

interface Ways {
  /** Only https is known of it. */
  secure?: boolean;
  gentle?: boolean;
  discovery?: Findings['discovery']['kind'];
  timeout?: number;
}

/** A whole check, with all but the two that speak HTTP in order. */
async function check({ port }: Pick<Peer, 'port'>, ways: Ways = {}): Promise<{ cause: Cause; told: string }> {
  const { secure = false, gentle = false, discovery = 'not_applicable', timeout = 5_000 } = ways;
  const well = { ms: 1, explanation: '' };
  const probes: Probes = {
    bridge: async () => ({ ...well, kind: 'ok', mac: null, worst: null }),
    neighbour: async () => ({ ...well, kind: 'ok', address }),
    ping: async () => ({ ...well, kind: 'ok' }),
    tcp: async ({ ports }) => ({ ...well, kind: 'all', open: ports, closed: [] }),
    web,
    dsm,
    discovery: async () => ({ ...well, kind: discovery, device: null }),
    ...notAsked,
    addresses: async () => [],
    resolve: async () => address,
  };
  const subject = {
    ...{ key: 'DSM', nics: domain.hardware.nics, local: true, configured: address, lastAddress: null },
    ...{ discovered: false, sweep: false },
    services: { ports: secure ? [445] : [port], http: [], ssh: null, agent: false },
    identity: secure ? { ...unknownDsm, httpsPort: port } : null,
  };
  const { signal } = new AbortController();
  const found = await examine(() => subject, probes, {
    ...{ prepare: null, enough: null, gentle, probeTimeout: timeout, signal },
  });
  const cause = diagnose({ machine: 'running', age: 'old', past: 'was_up', ...kindsOf(found.findings) });
  return { cause, told: found.findings.web?.explanation ?? '' };
}

/** Sends every path to that name, as DSM's portal does. */
function portalTo(origin: string) {
  return ({ url }: IncomingMessage, response: ServerResponse) =>
    response.writeHead(302, { location: `${origin}${url}`, 'strict-transport-security': 'max-age=63072000' }).end();
}

/** As nginx serves one name of several. */
function onlyAs(host: string, known: Pages) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const page = request.headers.host?.startsWith(host) ? known[request.url?.split('?')[0] ?? ''] : undefined;
    if (typeof page === 'string') response.end(page);
    else response.writeHead(404).end('<h1>404</h1>');
  };
}

describe('DSM is up, and asked at its address', () => {
  test.each([
    ['port 5000', undefined],
    ['port 5001', ownCertificate],
  ])('a portal on %s that sends its guests to its own domain', async (_, tls) => {
    await using named = await startHttp(onlyAs(name, running), ownCertificate);
    await using front = await startHttp(portalTo(`https://${name}:${named.port}`), tls);
    const secure = tls !== undefined;
    expect(await check(front, { secure })).toEqual({
      cause: 'up',
      told: `DSM's page answers on port ${named.port} as ${name}.`,
    });
  });

  test('a portal that sends every path to the same page', async () => {
    await using named = await startHttp(onlyAs(name, running), ownCertificate);
    await using front = await startHttp(redirect(`https://${name}:${named.port}/`, 301));
    expect(await check(front)).toMatchObject({ cause: 'up' });
  });

  test('a portal while the disks may be asleep: DSM is asked that under its name, and no page is fetched', async () => {
    const asleep = { ...running, '/webman/pingpong.cgi': pingpong(true, true) };
    await using named = await startHttp(onlyAs(name, asleep), ownCertificate);
    await using front = await startHttp(portalTo(`https://${name}:${named.port}`));
    expect(await check(front, { gentle: true })).toMatchObject({ cause: 'up_asleep' });
    expect(named.asked).toEqual(['/webman/pingpong.cgi?action=cors']);
  });

  test.each<[string, Pages]>([
    ['sign-on page of another name', { '/': redirect('https://auth.example.com:1/?rd=nas') }],
    ['sign-on page that asks for a password', { '/': '<form><input type="password"></form>' }],
    ['login of the web server', { '/': status(401) }],
    ['page that is for others', { '/': status(403) }],
    ['circle', { '/': redirect('/') }],
    ['redirect to another machine', { '/': redirect('http://192.0.2.1:5000/') }],
  ])('a %s only before its page', async (_, front) => {
    await using peer = await startPages({ ...running, ...front });
    expect(await check(peer)).toMatchObject({ cause: 'up' });
  });

  test('a path that a proxy has put before all of its own', async () => {
    const moved = Object.fromEntries(Object.entries(running).map(([path, page]) => [`/dsm${path}`, page]));
    await using peer = await startPages({ ...moved, '/': redirect('/dsm/') });
    expect(await check(peer)).toMatchObject({ cause: 'up' });
  });

  test('a path that only its page has', async () => {
    await using peer = await startPages({ ...running, '/': redirect('/desktop/'), '/desktop/': pages.dsm7 });
    expect(await check(peer)).toMatchObject({ cause: 'up' });
  });
});

describe('DSM cannot be asked: what stands before it is told, and is no alarm', () => {
  /** Nobody listens there. */
  const closed = 1;

  test.each<[string, (_: IncomingMessage, response: ServerResponse) => void, string]>([
    [
      'a name under which nothing answers here',
      portalTo(`https://${name}:${closed}`),
      `Port PORT sends its guests to ${name}, and under that name nothing answers here on port ${closed}.`,
    ],
    [
      'another machine',
      portalTo('https://192.0.2.1'),
      'Port PORT sends its guests to 192.0.2.1, which is not followed: it is another address.',
    ],
    ['a login', status(401, ''), 'Port PORT answers with a page that wants a login (HTTP 401).'],
    ['a ban', status(403), 'Port PORT answers with a page that lets nobody in from here (HTTP 403).'],
    [
      'a page that asks for a password',
      (_, response) => response.end('<title>Login</title><input name="p" type="password">'),
      'Port PORT answers with a page that asks for a password (“Login”, HTTP 200).',
    ],
    [
      'a page that forwards by a script',
      (_, response) => response.end('<script>location.href = "https://auth.example.com"</script>'),
      'Port PORT answers with a page that only sends the browser on (HTTP 200).',
    ],
  ])('%s', async (_, answer, told) => {
    await using peer = await startHttp(answer);
    expect(await check(peer)).toEqual({ cause: 'behind', told: told.replaceAll('PORT', String(peer.port)) });
    // Discovery knows DSM by its network card.
    expect(await check(peer, { discovery: 'ready' })).toMatchObject({ cause: 'up_behind' });
  });

  test('a name that has a page of something else here', async () => {
    await using named = await startPages({ '/': pages.nginx });
    await using peer = await startHttp(redirect(`http://auth.example.com:${named.port}/`));
    const told = `Port ${named.port} answers as auth.example.com with a page that is not DSM's (“Welcome to nginx!”, HTTP 200).`;
    expect(await check(peer)).toEqual({ cause: 'behind', told });
  });

  test('a name that its web server does not know', async () => {
    await using named = await startRaw(socket => socket.once('data', () => socket.end()));
    await using peer = await startHttp(portalTo(`https://${name}:${named.port}`));
    expect(await check(peer)).toMatchObject({ cause: 'behind' });
  });
});

describe('an alarm all the same', () => {
  test('a portal before a DSM that hangs', async () => {
    await using named = await startHttp(() => {}, ownCertificate);
    await using front = await startHttp(portalTo(`https://${name}:${named.port}`));
    expect(await check(front, { timeout: 500 })).toMatchObject({ cause: 'hangs' });
  });

  test('a sign-on page before a DSM that hangs', async () => {
    const hang = () => {};
    await using peer = await startHttp((request, response) =>
      request.url === '/' ? status(401)(request, response) : hang(),
    );
    expect(await check(peer, { timeout: 500 })).toMatchObject({ cause: 'hangs' });
  });

  test('a portal before a web server whose DSM is not there', async () => {
    await using named = await startHttp(status(502), ownCertificate);
    await using front = await startHttp(portalTo(`https://${name}:${named.port}`));
    expect(await check(front)).toMatchObject({ cause: 'api_silent' });
  });

  test('another product', async () => {
    await using peer = await startPages({ '/': pages.nginx });
    expect(await check(peer)).toMatchObject({ cause: 'other_page' });
  });
});
