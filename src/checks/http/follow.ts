import { isIPv4 } from 'node:net';
import { get, type HttpLimits, type HttpResult, type HttpTarget } from './get.ts';

/** A GET that goes where redirects send it, as long as that is the same machine: its address stays what it is. */

export interface Place {
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

type Stop = 'elsewhere' | 'loop' | 'too_many';

const mostHops = 5;
/** Where DSM is unless it was told otherwise. */
const usualPorts: readonly number[] = [5000, 5001];

/**
 * `limits` are for all of it. `ports`: where this machine is known to serve pages; a redirect to a name, which may be
 * its own or not, is taken for its own with these. Rejects as `get` does.
 */
export async function follow(target: HttpTarget, limits: HttpLimits, ports: readonly number[] = []): Promise<Followed> {
  const ends = performance.now() + limits.timeout;
  const seen = new Set<string>();
  let at: Place = target;
  for (let hops = 0; ; hops++) {
    seen.add(keyOf(at));
    const timeout = Math.max(0, ends - performance.now());
    const result = await get({ ...target, ...placeOf(at) }, { ...limits, timeout });
    const answer = { result, at: placeOf(at), hops };
    const location = result.failure === null && isRedirect(result.status) ? result.headers['location'] : undefined;
    const next = location === undefined ? null : nextPlace(target.address, at, location, ports);
    if (next === null) return { ...answer, stopped: null };
    if (next === 'elsewhere') return { ...answer, stopped: 'elsewhere' };
    if (seen.has(keyOf(next))) return { ...answer, stopped: 'loop' };
    if (hops === mostHops) return { ...answer, stopped: 'too_many' };
    at = next;
  }
}

/** Where a `Location` leads; null: it cannot be read. */
export function nextPlace(
  address: string,
  at: Place,
  location: string,
  ports: readonly number[],
): Place | 'elsewhere' | null {
  const url = URL.parse(location, `${at.secure ? 'https' : 'http'}://${address}:${at.port}${at.path}`);
  if (!url) return null;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'elsewhere';
  const secure = url.protocol === 'https:';
  const port = Number(url.port || (secure ? 443 : 80));
  const ours =
    url.hostname === address ||
    (isName(url.hostname) && (port === at.port || ports.includes(port) || usualPorts.includes(port)));
  return ours ? { port, secure, path: url.pathname + url.search } : 'elsewhere';
}

function isName(host: string): boolean {
  return !isIPv4(host) && !host.startsWith('[');
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function placeOf({ port, secure, path }: Place): Place {
  return { port, secure, path };
}

function keyOf({ port, secure, path }: Place): string {
  return `${secure}:${port}${path}`;
}
