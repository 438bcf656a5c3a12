import { createHmac, timingSafeEqual } from 'node:crypto';
import { reservedMarks } from '../model/command.ts';
import type { Asked } from './server.ts';

/** Who may use the page: whom Home Assistant lets in, whoever has the token, or, without one, this machine. */

export interface DoorOptions {
  /** Null: the page is for this machine, or for Home Assistant's users, alone. */
  token: string | null;
  /** The address from which Home Assistant's users come; null: they do not. */
  supervisor: string | null;
  /** Cookies know no port, and another bridge may have a page on this host. */
  port: number;
  /** Monotonic, milliseconds. */
  now?: () => number;
}

/** The page itself: whoever has the token, or is at this machine. */
export const nobody = 'page';

export interface Visitor {
  /** Who it is, in the record and the log. */
  name: string;
}

export interface Refused {
  status: 401 | 403 | 429;
  message: string;
  /** Of 429: until the door opens again. */
  seconds?: number;
}

type Asking = Pick<Asked, 'from' | 'header'>;

/** Wrong tokens in a row until an address has to wait, and for how long, milliseconds. */
const mostWrong = 5;
const closing = 60_000;
/** The oldest is forgotten. */
const mostAddresses = 1_000;
const local = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

export class Door {
  readonly #options: DoorOptions;
  readonly #wrong = new Map<string, { last: string; count: number; until: number }>();

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  enter({ from, header }: Asking): Visitor | Refused {
    const { token, supervisor } = this.#options;
    // An image on somebody's page.
    if (header('sec-fetch-site') === 'cross-site') return { status: 403, message: 'another site asks for this' };
    if (this.#isSupervisor(from)) return { name: nameOf(header('x-remote-user-name')) };
    if (token !== null) return this.#withToken(from, header);
    if (supervisor !== null) return { status: 403, message: 'this page is in Home Assistant, and nowhere else' };
    // Another name may be that of somebody's own server, with a page that makes a browser ask here.
    if (!local.test(header('host'))) return { status: 403, message: 'without a token, ask for localhost or 127.0.0.1' };
    const isPassedOn = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip'].some(name => header(name) !== '');
    if (isPassedOn) return { status: 403, message: 'behind a proxy this page needs a token' };
    return { name: nobody };
  }

  /** Null: this request may change something; no page of another server can make a browser send it. */
  mayAct({ from, header }: Asking): Refused | null {
    const site = header('sec-fetch-site');
    const origin = header('origin');
    // A proxy may give another host than the browser's; an old browser does not say the site.
    const isHere = this.#isSupervisor(from) || origin === '' || URL.parse(origin)?.host === header('host');
    if (header('x-dsm2mqtt') === 'page' && (site === '' ? isHere : site === 'same-origin')) return null;
    return { status: 403, message: 'this request does not come from the page itself' };
  }

  /** The value of `set-cookie` for whoever knows the token. */
  login(given: string, from: string): string | Refused {
    const { token, port } = this.#options;
    if (token === null) return { status: 403, message: 'there is no token' };
    const refused = this.#judge(keyOf(given), from);
    return refused ?? `dsm2mqtt-${port}=${keyOf(token)}; HttpOnly; SameSite=Strict; Max-Age=31536000`;
  }

  #withToken(from: string, header: Asking['header']): Visitor | Refused {
    const bearer = /^Bearer (.+)$/i.exec(header('authorization'))?.[1];
    const cookie = new RegExp(`(?:^|; )dsm2mqtt-${this.#options.port}=(\\w+)`).exec(header('cookie'))?.[1];
    const key = bearer === undefined ? cookie : keyOf(bearer);
    return this.#judge(key, from) ?? { name: nobody };
  }

  /** The same wrong one again does not count: a page that is still open asks with what it has. */
  #judge(key: string | undefined, from: string): Refused | null {
    const now = this.#options.now?.() ?? performance.now();
    const before = this.#wrong.get(from);
    const isClosed = before !== undefined && before.until > now;
    if (isClosed) {
      const seconds = Math.ceil((before.until - now) / 1_000);
      return { status: 429, message: `too many wrong tokens; wait ${seconds} s`, seconds };
    }
    if (key === undefined) return { status: 401, message: 'this page needs its token' };
    if (isSame(key, keyOf(this.#options.token ?? ''))) {
      this.#wrong.delete(from);
      return null;
    }
    const count = before?.last === key ? before.count : (before?.count ?? 0) + 1;
    const until = count >= mostWrong ? now + closing : 0;
    this.#wrong.delete(from);
    this.#wrong.set(from, { last: key, count: until > 0 ? 0 : count, until });
    const [oldest] = this.#wrong.keys();
    if (oldest !== undefined && this.#wrong.size > mostAddresses) this.#wrong.delete(oldest);
    return { status: 401, message: 'this is not the token' };
  }

  #isSupervisor(from: string): boolean {
    const { supervisor } = this.#options;
    return supervisor !== null && from.replace(/^::ffff:/, '') === supervisor;
  }
}

/** What a browser keeps instead of the token. */
function keyOf(token: string): string {
  return createHmac('sha256', token).update('dsm2mqtt page').digest('hex');
}

function isSame(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

/** Who else stands in the record. */
const senders: ReadonlySet<string> = new Set([...reservedMarks, nobody, 'bridge', 'cli']);

/** As a command's `by` may be: `Anna Müller` is `Anna_M_ller`. Some words of the record are nobody's name. */
function nameOf(user: string): string {
  const name = Buffer.from(user, 'latin1')
    .toString()
    .replaceAll(/[^\w-]/g, '_')
    .slice(0, 29);
  return name === '' ? 'home_assistant' : senders.has(name) ? `ha_${name}` : name;
}
