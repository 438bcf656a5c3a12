import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { WebPort } from '../../../src/checks/probes/web/port.ts';
import { type LoaderPorts, web } from '../../../src/checks/probes/web.ts';
import { pages, state } from '../dsm-pages.ts';
import {
  address,
  closedPort,
  oldCertificate,
  ownCertificate,
  type Peer,
  redirect,
  startHttp,
  startPages,
  startRaw,
  status,
} from '../http/peer.ts';

const { signal } = new AbortController();

interface Ways {
  timeout?: number;
  loaderPorts?: LoaderPorts;
}

/** Ports may be given with what is known of them, else that is to be found out. */
function probe(ports: readonly (number | WebPort | Peer)[], { timeout = 5_000, loaderPorts }: Ways = {}) {
  const list = ports.map(port => (typeof port === 'number' ? { port, secure: null } : toPort(port)));
  return web({ address, ports: list, loaderSigns: loaderPorts !== undefined }, { timeout, signal }, loaderPorts);
}

function toPort(port: WebPort | Peer): WebPort {
  return { port: port.port, secure: 'secure' in port ? port.secure : null };
}

function found(kind: string, port: number | null, secure: boolean, explanation: string) {
  return { kind, port, secure, name: null, base: '', ms: port === null ? null : expect.any(Number), explanation };
}

test.each([
  ['dsm', pages.dsm6, "DSM's page answers on port PORT."],
  ['dsm', pages.dsm7, "DSM's page answers on port PORT."],
  ['installer', pages.installer, "Synology's Web Assistant answers on port PORT."],
  ['loader', pages.recovery('RR'), "A loader's own page answers on port PORT."],
  ['other', pages.nginx, "Port PORT answers with a page that is not DSM's (“Welcome to nginx!”, HTTP 200)."],
  ['other', '{}', "Port PORT answers with a page that is not DSM's (HTTP 200)."],
])('%s: %.50s', async (kind, page, sentence) => {
  await using peer = await startPages({ '/': page });
  const explanation = sentence.replace('PORT', String(peer.port));
  expect(await probe([peer])).toEqual(found(kind, peer.port, false, explanation));
  await peer.quiet();
});

test('an installer whose page has no marks tells by its state', async () => {
  await using peer = await startPages({ '/': '<html></html>', '/webman/get_state.cgi': state('not_install') });
  const explanation = `Synology's Web Assistant answers on port ${peer.port}.`;
  expect(await probe([peer])).toEqual(found('installer', peer.port, false, explanation));
});

test.each([
  ['a certificate of its own', ownCertificate],
  ['an old one, and old TLS', oldCertificate],
])('https with %s, found out and given', async (_, tls) => {
  await using peer = await startPages({ '/': pages.dsm7 }, tls);
  const expected = found('dsm', peer.port, true, `DSM's page answers on port ${peer.port}.`);
  expect(await probe([peer])).toEqual(expected);
  expect(await probe([{ port: peer.port, secure: true }])).toEqual(expected);
});

test('https behind a port that answers plain requests as nginx does', async () => {
  await using inner = await startPages({ '/': pages.dsm7 }, ownCertificate);
  await using peer = await startTwoFaced(
    inner,
    '<center><h1>400 Bad Request</h1></center><center>The plain HTTP request was sent to HTTPS port</center>',
  );
  const explanation = `DSM's page answers on port ${peer.port}.`;
  expect(await probe([peer])).toEqual(found('dsm', peer.port, true, explanation));
});

test('http where https was said to be', async () => {
  await using peer = await startPages({ '/': pages.dsm7 });
  const explanation = `Port ${peer.port} accepts connections, but does not speak https.`;
  expect(await probe([{ port: peer.port, secure: true }])).toEqual(found('silent', null, true, explanation));
});

test('a redirect to the page is where the page is', async () => {
  await using secure = await startPages({ '/': pages.dsm7 }, ownCertificate);
  await using plain = await startPages({ '/': redirect(`https://nas.local:${secure.port}/`) });
  const explanation = `DSM's page answers on port ${secure.port} as nas.local.`;
  expect(await probe([plain, secure])).toEqual({
    ...found('dsm', secure.port, true, explanation),
    name: 'nas.local',
  });
});

test.each([
  ['/', {}, 'behind', 'redirects in a circle.'],
  ['/0', Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`/${n}`, redirect(`/${n + 1}`)])), 'behind', 'again.'],
])('a redirect that leads nowhere: %s', async (location, more, kind, ending) => {
  await using peer = await startPages({ ...more, '/': redirect(location) });
  const finding = await probe([peer]);
  expect(finding).toMatchObject({ kind, port: peer.port });
  expect(finding.explanation).toMatch(new RegExp(`^Port ${peer.port} .*${ending}$`));
});

test('a redirect to a port that does not answer', async () => {
  const closed = await closedPort();
  await using peer = await startPages({ '/': redirect(`http://${address}:${closed}/`) });
  const explanation = `Port ${peer.port} redirects to port ${closed}, which does not accept connections.`;
  expect(await probe([peer])).toEqual(found('silent', null, false, explanation));
});

test.each([
  ['a back end that is not up', status(502), 'what is behind its web server does not yet (HTTP 502).'],
  ['an empty page', status(200, ' '), 'with an empty page (HTTP 200).'],
  ['no content', status(204, ''), 'with an empty page (HTTP 204).'],
])('%s is no page, but DSM can be asked there', async (_, answer, ending) => {
  await using peer = await startPages({ '/': answer });
  expect(await probe([peer])).toEqual(found('silent', peer.port, false, `Port ${peer.port} answers, but ${ending}`));
});

test.each([
  ['says nothing', '', 'no page comes in time.'],
  ['is no web server', '220 ftp ready\r\n', 'what answers is no web server.'],
  ['drips', 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<title>', 'no page comes in time.'],
])('a port that accepts and %s', async (_, bytes, ending) => {
  await using peer = await startRaw(socket => socket.once('data', () => socket.write(bytes)));
  const explanation = `Port ${peer.port} accepts connections, but ${ending}`;
  expect(await probe([peer], { timeout: 300 })).toEqual(found('silent', null, false, explanation));
  await peer.quiet();
});

test('a port that drops its connections', async () => {
  await using peer = await startRaw(socket => socket.end());
  const explanation = `Port ${peer.port} accepts connections, but drops them before a page comes.`;
  expect(await probe([peer])).toEqual(found('silent', null, false, explanation));
});

test('the best page wins, whatever its place', async () => {
  await using dsm = await startPages({ '/': pages.dsm7 });
  await using installer = await startPages({ '/': pages.installer });
  await using other = await startPages({ '/': pages.nginx });
  await using silent = await startRaw(socket => socket.end());
  const closed = await closedPort();
  expect(await probe([closed, other, silent, installer, dsm])).toMatchObject({ kind: 'dsm', port: dsm.port });
  expect(await probe([closed, other, silent, installer])).toMatchObject({ kind: 'installer', port: installer.port });
  expect(await probe([closed, silent, other])).toMatchObject({ kind: 'other', port: other.port });
  expect(await probe([closed, silent])).toMatchObject({ kind: 'silent' });
});

test('among equals the first wins, and nobody waits long for it', async () => {
  let slow = (answer: () => void): unknown => setTimeout(answer, 50);
  await using first = await startHttp((_, response) => void slow(() => response.end(pages.dsm7)));
  await using second = await startPages({ '/': pages.dsm7 });
  expect(await probe([first, second])).toMatchObject({ kind: 'dsm', port: first.port });
  slow = () => null;
  const began = performance.now();
  expect(await probe([first, second])).toMatchObject({ kind: 'dsm', port: second.port });
  // Nor is it kept in conversation.
  await first.quiet();
  expect(performance.now() - began).toBeLessThan(30_000);
});

test('no port, and no port that accepts', async () => {
  const [one, two] = [await closedPort(), await closedPort()];
  expect(await probe([])).toEqual(found('not_applicable', null, false, 'No web port is configured.'));
  const explanation = `No web port accepts connections (${one} and ${two}).`;
  expect(await probe([one, two])).toEqual(found('closed', null, false, explanation));
});

test('where no web port accepts, a terminal tells a loader', async () => {
  const closed = await closedPort();
  await using terminal = await startPages({ '/': pages.ttyd });
  await using ssh = await startRaw(socket => socket.write('SSH-2.0-OpenSSH_9.0\r\n'));
  const loaderPorts = { terminal: terminal.port, ssh: ssh.port };
  const sentence = `No web port accepts connections (${closed}), but a loader's terminal answers on port ${terminal.port}.`;
  expect(await probe([closed], { loaderPorts })).toEqual(found('loader', terminal.port, false, sentence));
  // A page is no login.
  expect(terminal.asked).toEqual(['/']);
});

test('and SSH hints at one, to which nothing is said', async () => {
  const closed = await closedPort();
  await using web = await startPages({ '/': pages.nginx });
  let heard = 0;
  await using ssh = await startRaw(socket => {
    socket.on('data', ({ length }) => {
      heard += length;
    });
    socket.write('Welcome\r\nSSH-2.0-dropbear_2022.83\r\n');
  });
  const explanation = `SSH answers on port ${ssh.port} but DSM's page does not, as with a loader.`;
  for (const terminal of [web.port, await closedPort()]) {
    expect(await probe([closed], { loaderPorts: { terminal, ssh: ssh.port } })).toEqual({
      ...found('loader', null, false, explanation),
      ms: expect.any(Number),
    });
  }
  await ssh.quiet();
  expect(heard).toBe(0);
});

test.each([
  ['says something else', '220 mail ready\r\n'.repeat(100)],
  ['says nothing', ''],
])('a port of SSH that %s is no sign', async (_, bytes) => {
  const closed = await closedPort();
  await using ssh = await startRaw(socket => socket.write(bytes));
  const loaderPorts = { terminal: closed, ssh: ssh.port };
  expect(await probe([closed], { loaderPorts, timeout: 300 })).toMatchObject({ kind: 'closed', port: null });
  await ssh.quiet();
});

test('a loader is not looked for where a port accepts', async () => {
  await using peer = await startRaw(socket => socket.end());
  await using terminal = await startPages({ '/': pages.ttyd });
  const loaderPorts = { terminal: terminal.port, ssh: terminal.port };
  expect(await probe([peer], { loaderPorts })).toMatchObject({ kind: 'silent' });
  expect(terminal.sockets).toEqual([]);
});

test('an abort ends it at once', async () => {
  await using peer = await startRaw(() => {});
  const abort = new AbortController();
  const target = { address, ports: [toPort(peer), toPort(peer)], loaderSigns: true };
  const probing = web(target, { timeout: 60_000, signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(probing).rejects.toThrow('enough');
  await peer.quiet();
});

/** One port with both, as nginx has it: TLS is passed on, and plain requests are answered. */
function startTwoFaced(inner: Peer, plain: string): Promise<Peer> {
  return startRaw(outer => {
    outer.once('data', first => {
      if (first[0] !== 0x16) {
        outer.end(`HTTP/1.1 400 Bad Request\r\nContent-Length: ${plain.length}\r\n\r\n${plain}`);
        return;
      }
      const socket = connect(inner.port, address).on('error', () => {});
      socket.write(first);
      outer.pipe(socket).pipe(outer);
    });
  });
}
