import { isIPv4 } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { get, type HttpLimits, type HttpResult, type HttpTarget, type Place } from './get.ts';

/**
 * A GET that follows redirects, at the same address only. It sends whatever host name the redirect gives, since a NAS
 * may have any name, but never connects to another address.
 */

export interface Followed {
  /** The last result: an answer, perhaps a redirect that was not followed, or a failure. */
  result: HttpResult;
  /** Where it came from. */
  at: Place;
  /** Redirects followed. */
  hops: number;
  /** Why the last redirect was not followed; null: there was none. */
  stopped: 'loop' | 'too_many' | Elsewhere | null;
}

/** It leads to another address, or to no page at all. */
interface Elsewhere {
  elsewhere: string;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const mostHops = 5;
/** Characters of a name in the DNS. */
const longestName = 253;

/** `limits` cover all requests together. Rejects as `get` does. */
export async function follow({ address, ...first }: HttpTarget, limits: HttpLimits): Promise<Followed> {
  const ends = performance.now() + limits.timeout;
  const seen: Place[] = [];
  let at: Place = first;
  for (let hops = 0; ; hops++) {
    seen.push(at);
    const timeout = Math.max(0, ends - performance.now());
    const result = await get({ address, ...at }, { ...limits, timeout });
    const leads = result.failure === null && redirects.has(result.status);
    const location = leads ? result.headers['location'] : undefined;
    const next = location === undefined ? null : nextPlace(address, at, location);
    const answer = { result, at, hops };
    if (next === null || 'elsewhere' in next) return { ...answer, stopped: next };
    if (seen.some(place => isDeepStrictEqual(place, next))) return { ...answer, stopped: 'loop' };
    if (hops === mostHops) return { ...answer, stopped: 'too_many' };
    at = next;
  }
}

/** Where a `Location` leads; null: it is malformed. */
export function nextPlace(address: string, at: Place, location: string): Place | Elsewhere | null {
  const url = URL.parse(location, `${at.secure ? 'https' : 'http'}://${at.name ?? address}:${at.port}${at.path}`);
  if (!url || url.hostname.length > longestName) return null;
  const { protocol, hostname, pathname, search } = url;
  if (protocol !== 'http:' && protocol !== 'https:') return { elsewhere: protocol };
  const secure = protocol === 'https:';
  const name = hostname === address ? null : hostname;
  if (name !== null && (isIPv4(name) || name.startsWith('['))) return { elsewhere: name };
  return { name, port: Number(url.port || (secure ? 443 : 80)), secure, path: pathname + search };
}
