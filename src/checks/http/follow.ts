import { isIPv4 } from 'node:net';
import { get, type HttpLimits, type HttpResult, type HttpTarget } from './get.ts';

/**
 * A GET that goes where redirects send it, at the same address: whatever name they give, it is asked for there, since
 * a NAS may have any name. Another address is never gone to.
 */

export interface Place {
  /** The host that is asked for; null: the address. */
  name: string | null;
  port: number;
  secure: boolean;
  /** With its query. */
  path: string;
}

export interface Followed {
  /** What came last: an answer, perhaps a redirect that was not followed, or a failure. */
  result: HttpResult;
  /** Where it came from. */
  at: Place;
  /** Redirects followed. */
  hops: number;
  /** Why the last redirect was not followed; null: there was none. */
  stopped: Stop | null;
}

type Stop = 'loop' | 'too_many' | Elsewhere;

/** Another address than the one that is asked, or no page at all. */
interface Elsewhere {
  elsewhere: string;
}

const mostHops = 5;
/** Characters of a name in the DNS. */
const longestName = 253;

/** `limits` are for all of it. Rejects as `get` does. */
export async function follow(target: HttpTarget, limits: HttpLimits): Promise<Followed> {
  const ends = performance.now() + limits.timeout;
  const seen = new Set<string>();
  let at: Place = target;
  for (let hops = 0; ; hops++) {
    seen.add(keyOf(at));
    const timeout = Math.max(0, ends - performance.now());
    const result = await get({ ...target, ...placeOf(at) }, { ...limits, timeout });
    const answer = { result, at: placeOf(at), hops };
    const location = result.failure === null && isRedirect(result.status) ? result.headers['location'] : undefined;
    const next = location === undefined ? null : nextPlace(target.address, at, location);
    if (next === null) return { ...answer, stopped: null };
    if ('elsewhere' in next) return { ...answer, stopped: next };
    if (seen.has(keyOf(next))) return { ...answer, stopped: 'loop' };
    if (hops === mostHops) return { ...answer, stopped: 'too_many' };
    at = next;
  }
}

/** Where a `Location` leads; null: it cannot be read. */
export function nextPlace(address: string, at: Place, location: string): Place | Elsewhere | null {
  const url = URL.parse(location, `${at.secure ? 'https' : 'http'}://${at.name ?? address}:${at.port}${at.path}`);
  if (!url || url.hostname.length > longestName) return null;
  const { protocol, hostname, pathname, search } = url;
  if (protocol !== 'http:' && protocol !== 'https:') return { elsewhere: protocol };
  const secure = protocol === 'https:';
  const name = hostname === address ? null : hostname;
  if (name !== null && !isName(name)) return { elsewhere: name };
  return { name, port: Number(url.port || (secure ? 443 : 80)), secure, path: pathname + search };
}

function isName(host: string): boolean {
  return !isIPv4(host) && !host.startsWith('[');
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function placeOf({ name, port, secure, path }: Place): Place {
  return { name, port, secure, path };
}

function keyOf({ name, port, secure, path }: Place): string {
  return `${secure}://${name}:${port}${path}`;
}
