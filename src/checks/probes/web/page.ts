import type { HttpAnswer } from '../../http/get.ts';

/**
 * Recognises the kind of a page by marks of real pages; a mark that other pages may have too needs a second one. PURE,
 * and takes linear time on any input, also a truncated one. A page that redirects by a script is read, not followed.
 */

export type PageKind = 'dsm' | 'installer' | 'loader' | 'other';

export type Page = Pick<HttpAnswer, 'status' | 'headers' | 'body'>;

type Mark = (page: Text) => boolean;
/** Two tell it. */
type Weight = 1 | 2;

/** All in lower case, with spaces for `&nbsp;`. */
interface Text {
  title: string;
  body: string;
  /** A short page that sends the browser on, or a redirect. */
  forwards: boolean;
  header(name: string): string;
}

/** Longer than any page that only forwards. */
const short = 2_048;

const dsm: readonly (readonly [Weight, Mark])[] = [
  // Session data in the login page, DSM 3 to 7 (OpenVAS: gb_synology_dsm_*; WhatWeb: synology-diskstation).
  [2, ({ body }) => body.includes('syno.sds.session')],
  // Scripts of the login page, DSM 6 and 7 (Wappalyzer: Synology DiskStation).
  [2, ({ body }) => body.includes('api=syno.core.desktop.') || body.includes('api=syno.filestation.desktop.')],
  // For browsers without scripts (Wappalyzer: Synology DiskStation).
  [2, ({ body }) => body.includes('syno-no-script')],
  // The login form, DSM 4 to 6 (WhatWeb: synology-diskstation).
  [2, ({ body }) => body.includes('id="sds-login-dialog-form"')],
  // `NAME - Synology DiskStation` until DSM 6, `NAME - Synology NAS` since (nmap's http-title in published scans).
  [1, ({ title }) => /\bsynology (diskstation|rackstation|nas)\b/.test(title)],
  // Its description (Wappalyzer: Synology DiskStation).
  [1, ({ body }) => body.includes('provides a full-featured network attached storage')],
  // Styles and scripts of the login page, DSM 6 and 7 (stored copies of DSM 6 pages).
  [1, ({ body }) => body.includes('synosdsjslib/') || body.includes('webman/resources/')],
  // The address of the login page since DSM 3 (OpenVAS: gb_synology_dsm_*), also where `/` forwards to.
  [1, ({ body, header }) => body.includes('webman/index.cgi') || header('location').includes('/webman/')],
  // Many do; that alone tells nothing.
  [1, ({ forwards }) => forwards],
];

const installer: readonly (readonly [Weight, Mark])[] = [
  // How the installer calls itself (Synology's guides; what the loaders RR and M-Shell say of it at boot).
  [1, ({ title }) => title.includes('web assistant')],
  [1, ({ body }) => body.includes('synology web assistant')],
  // What its page asks (dsmctl: internal/provision/install.go).
  [2, ({ body }) => body.includes('get_state.cgi') || body.includes('get_install_progress.cgi')],
  // Its file (RR, Arc, M-Shell: addon misc, which moves it aside as web_install.html).
  [2, ({ forwards, body, header }) => forwards && (body + header('location')).includes('web_index.html')],
];

const loader: readonly (readonly [Weight, Mark])[] = [
  // ttyd's page (ttyd: html/webpack.config.js).
  [2, ({ title }) => title === 'ttyd - terminal'],
  // ttyd's headers, also where it wants a password (ttyd: src/http.c, src/server.c).
  [2, ({ header }) => header('server').startsWith('ttyd/') || header('www-authenticate').includes('realm="ttyd"')],
  // The addons' page for recovery, in place of the installer's (RR, Arc, M-Shell: misc/all/addons/web_index.html).
  [2, ({ title }) => /^(rr|arc|mshell|arpl|tcrp|trireme) (recovery|loader)$/.test(title)],
  // The same page by the terminal that it embeds.
  [2, ({ body }) => body.includes('id="ttyd"') && body.includes(':7681')],
  // RR's page beside the terminal only forwards to it (RR: var/www/data/index.html).
  [2, ({ forwards, body, header }) => forwards && (body + header('location')).includes(':7681')],
  // Arc's page on port 7080 (Arc: files/initrd/var/www/data/index.html).
  [2, ({ body }) => body.includes('arc_loader.png')],
  // Their names; a page about them has these as well, but hardly as its title.
  [2, ({ title }) => /\b(arpl|redpill)\b/.test(title)],
];

/** The recovery page of a loader stands where the installer's was, hence the order. */
const kinds: readonly (readonly [PageKind, typeof dsm])[] = [
  ['loader', loader],
  ['installer', installer],
  ['dsm', dsm],
];

export function pageOf(page: Page): PageKind {
  const text = textOf(page);
  for (const [kind, marks] of kinds) {
    let weight = 0;
    for (const [more, mark] of marks) if (mark(text)) weight += more;
    if (weight >= 2) return kind;
  }
  return 'other';
}

/** For people: printable, at most 60 characters; null: it has none. */
export function titleOf(body: string): string | null {
  const title = rawTitle(body, body.toLowerCase())
    .slice(0, 600)
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&amp;', '&')
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim();
  return title === '' ? null : shorten(title);
}

/** For a sentence: at most 60 characters. */
export function shorten(text: string): string {
  const characters = [...text];
  return characters.length > 60 ? `${characters.slice(0, 59).join('')}…` : text;
}

/** What a page before another one does; it completes "a page that …". Null: it need not be such a page. */
export function gateOf(page: Page): string | null {
  if (page.status === 401 || page.status === 407) return 'wants a login';
  if (page.status === 403) return 'lets nobody in from here';
  const { body, forwards } = textOf(page);
  if (/<input[^>]{1,400}type=["']?password/.test(body)) return 'asks for a password';
  return forwards ? 'only sends the browser on' : null;
}

function textOf({ status, headers, body }: Page): Text {
  const lower = body.toLowerCase().replaceAll('&nbsp;', ' ');
  return {
    title: rawTitle(lower, lower).trim(),
    body: lower,
    forwards: (status >= 300 && status < 400) || (lower.length < short && sendsOn(lower)),
    header: name => (Object.hasOwn(headers, name) ? (headers[name] ?? '') : '').toLowerCase(),
  };
}

function sendsOn(body: string): boolean {
  return (
    body.includes('location.replace(') || /location(\.href)?\s?=/.test(body) || /http-equiv=["']?refresh/.test(body)
  );
}

/** Takes from `body` what was found in its lower-case form, which can be longer; that only moves the cut. */
function rawTitle(body: string, lower: string): string {
  const tag = lower.indexOf('<title');
  const from = tag < 0 ? -1 : lower.indexOf('>', tag);
  if (from < 0) return '';
  const to = lower.indexOf('</title', from);
  return body.slice(from + 1, to < 0 ? undefined : to);
}
