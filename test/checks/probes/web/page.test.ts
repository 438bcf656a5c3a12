import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Page, pageOf, titleOf } from '../../../../src/checks/probes/web/page.ts';
import { slow } from '../../../eventually.ts';
import { anyUnit } from '../../any-unit.ts';
import { pages } from '../../dsm-pages.ts';

function page(body: string, rest: Partial<Page> = {}): Page {
  return { status: 200, headers: {}, body, ...rest };
}

test.each([
  ['dsm', 'the login page of DSM 6', page(pages.dsm6)],
  ['dsm', 'that of DSM 7', page(pages.dsm7)],
  [
    'dsm',
    'that of DSM 7 with a title of its own',
    page(pages.dsm7.replace(/<title>.*<\/title>/, '<title>Home</title>')),
  ],
  ['dsm', 'half of it', page(pages.dsm6.slice(0, 900))],
  ['dsm', 'session data in the page, as until DSM 5', page('<script>SYNO.SDS.Session = {"a":1};</script>')],
  ['dsm', 'an index that forwards by script', page(pages.dsmIndex)],
  ['dsm', 'one that refreshes', page('<meta http-equiv="refresh" content="0; url=/webman/index.cgi">')],
  ['dsm', 'a redirect', page('', { status: 302, headers: { location: '/webman/index.cgi' } })],
  ['installer', 'the Web Assistant', page(pages.installer)],
  ['installer', 'one that asks for the state', page('<script>x("/webman/get_state.cgi")</script>')],
  ['installer', 'a redirect to it', page('', { status: 302, headers: { location: '/web_index.html' } })],
  ['installer', 'a page that forwards to it', page('<script>location.href = "web_index.html"</script>')],
  ['loader', 'ttyd', page(pages.ttyd)],
  [
    'loader',
    'ttyd by its server',
    page('<title>root@rr</title>', { headers: { server: 'ttyd/1.7.7 (libwebsockets)' } }),
  ],
  ['loader', 'ttyd with a password', page('', { status: 401, headers: { 'www-authenticate': 'Basic realm="ttyd"' } })],
  ['loader', 'RR in recovery', page(pages.recovery('RR'))],
  ['loader', 'M-Shell in recovery', page(pages.recovery('MSHELL'))],
  ['loader', 'another recovery', page(pages.recovery('Other'))],
  ['loader', "RR's page, which forwards to its terminal", page(pages.rrIndex)],
  ['loader', "Arc's page", page('<title>Web Config</title><div style="background-image: url(\'./arc_loader.png\')">')],
  ['loader', 'a name', page('<title>TinyCore RedPill</title>')],
  ['other', 'nginx', page('<!DOCTYPE html><title>Welcome to nginx!</title><h1>Welcome to nginx!</h1>')],
  ['other', 'a router', page('<title>FRITZ!Box</title><form action="/login.lua"><input type=password></form>')],
  ['other', 'Plex', page('<title>Plex</title>', { status: 401, headers: { 'x-plex-protocol': '1.0' } })],
  [
    'other',
    'words about a NAS',
    page('<title>How I set up my Synology NAS</title><p>Synology DiskStation, webman</p>'),
  ],
  [
    'other',
    'a dashboard',
    page('<title>Home</title><a href="http://10.0.0.9:5000/webman/index.cgi">Synology</a>'.padEnd(3_000)),
  ],
  [
    'other',
    'words about a loader',
    page('<title>Forum</title>ttyd runs on http://10.0.0.9:7681 in RR, see github.com/RROrg'),
  ],
  ['other', 'another web assistant', page('<title>Web Assistant</title>')],
  ['other', 'a page that forwards somewhere', page('<script>location.replace("/login")</script>')],
  ['other', 'a bad gateway', page('<h1>502 Bad Gateway</h1><center>nginx</center>', { status: 502 })],
  ['other', 'nothing', page('', { status: 204 })],
  ['other', 'JSON', page('{"success":true}')],
])('%s: %s', (kind, _, given) => {
  expect(pageOf(given)).toBe(kind);
});

test.each([
  ['<title>Welcome to nginx!</title>', 'Welcome to nginx!'],
  ['<TITLE lang="en">\n  A&nbsp;&amp;\tB\u001b[31m\n</TITLE>', 'A & B [31m'],
  [`<title>${'ü'.repeat(99)}</title>`, `${'ü'.repeat(59)}…`],
  ['<title>cut o', 'cut o'],
  ['<title> </title>', null],
  ['<title', null],
  ['<h1>none</h1>', null],
  ['', null],
])('the title of %j', (body, expected) => {
  expect(titleOf(body)).toBe(expected);
});

const scraps = [
  ...'<title> </title> <title &nbsp; SYNO.SDS.Session webman/index.cgi İ get_state.cgi web_index.html'.split(' '),
  ...[':7681', 'id="ttyd"', 'synology nas', 'location =', 'location.replace(', 'Web Assistant', '\ud800', '\0', '<'],
];
const body = fc.oneof(
  fc.string({ unit: anyUnit, maxLength: 200 }),
  fc.array(fc.constantFrom(...scraps), { maxLength: 30 }).map(parts => parts.join('')),
);
const name = fc.constantFrom('location', 'server', 'www-authenticate', '__proto__', 'constructor');

test('anything at all is a page of some kind', () => {
  const given = fc.record({ status: fc.nat(999), headers: fc.dictionary(name, body), body });
  fc.assert(
    fc.property(given, page => {
      if (!['dsm', 'installer', 'loader', 'other'].includes(pageOf(page))) return false;
      const title = titleOf(page.body);
      return title === null || (title.length <= 120 && !/\p{Cc}/u.test(title));
    }),
    { numRuns: 10_000 },
  );
});

test.each(['<title', '<title>', 'location ', ' ', '&nbsp;', 'synology ', 'http-equiv="', '\u0130', '\u001b'])(
  'a megabyte of %j takes no time',
  scrap => {
    const body = scrap.repeat(1_000_000 / scrap.length);
    const began = performance.now();
    pageOf(page(body));
    pageOf(page(`<title>${body}`));
    titleOf(`<title>${body}`);
    expect(performance.now() - began).toBeLessThan(slow);
  },
);
