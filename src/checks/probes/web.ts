import { setTimeout as delay } from 'node:timers/promises';
import { enumerate } from '../../util/enumerate.ts';
import type { Findings, Limits } from '../finding.ts';
import { get } from '../http/get.ts';
import { pageOf } from './web/page.ts';
import { lookAt, type WebPort } from './web/port.ts';
import { sshBanner } from './web/ssh-banner.ts';

/**
 * What kind of page answers at an address. The best page of all ports wins. Where none
 * accepts, a loader may: its terminal or its SSH is looked for, and nobody logs in.
 */

export interface WebTarget {
  /** IPv4. */
  address: string;
  /** In order of preference. */
  ports: readonly WebPort[];
  /** Whether to look for a loader where no web port accepts. */
  loaderSigns: boolean;
}

/** Where RR, Arc, ARPL and M-Shell have their terminal, and where all loaders have SSH. */
export interface LoaderPorts {
  terminal: number;
  ssh: number;
}

type Seen = Findings['web'];

/** From the best down. */
const ranks: readonly Seen['kind'][] = ['dsm', 'installer', 'loader', 'behind', 'other', 'silent', 'closed'];
/** Milliseconds that the first port has for itself: TLS is dear, and for nothing where http answers. */
const headStart = 75;
/** Milliseconds that an earlier port gets to answer as well: else it would be chance which one is told. */
const moment = 300;

/** Rejects only with the reason of `limits.signal`. */
export async function web(
  { address, ports, loaderSigns }: WebTarget,
  limits: Limits,
  loaderPorts: LoaderPorts = { terminal: 7681, ssh: 22 },
): Promise<Seen> {
  const numbers = ports.map(({ port }) => port);
  if (ports.length === 0) return nowhere('not_applicable', 'No web port is configured.');
  const ends = performance.now() + limits.timeout;
  const left = () => Math.max(0, ends - performance.now());
  // A port that drops what it gets is known by then, and time for the loader's ports remains.
  const connectTimeout = limits.timeout / 2;
  const through = new AbortController();
  const look = {
    address,
    connectTimeout,
    left,
    signal: AbortSignal.any([limits.signal, through.signal]),
  };
  const seen = await enough(inTurn(ports, port => lookAt(port, look), look.signal)).finally(() => through.abort());
  const best = seen.toSorted((a, b) => ranks.indexOf(a.kind) - ranks.indexOf(b.kind))[0];
  if (best && best.kind !== 'closed') return best;
  const closed = `No web port accepts connections (${enumerate(numbers)})`;
  const rest = { timeout: left(), signal: limits.signal };
  const loader = loaderSigns ? await lookForLoader(address, loaderPorts, closed, rest) : null;
  return loader ?? nowhere('closed', `${closed}.`);
}

/** Each begins when the one before it has found something, or has taken a while: most often the first one is enough. */
function inTurn(
  ports: readonly WebPort[],
  begin: (port: WebPort) => Promise<Seen>,
  signal: AbortSignal,
): readonly Promise<Seen>[] {
  const looks: Promise<Seen>[] = [];
  for (const port of ports) {
    const before = looks.at(-1);
    const turn = before && Promise.race([before, delay(headStart, undefined, { signal })]).catch(() => {});
    looks.push(Promise.resolve(turn).then(() => begin(port)));
  }
  return looks;
}

/** Those that are there when it is clear which one is the best. */
function enough(looks: readonly Promise<Seen>[]): Promise<readonly Seen[]> {
  return new Promise((resolve, reject) => {
    const seen = new Map<number, Seen>();
    let timer: NodeJS.Timeout | undefined;
    const finish = () => {
      clearTimeout(timer);
      resolve(looks.flatMap((_, index) => seen.get(index) ?? []));
    };
    const fail = (error: unknown) => {
      clearTimeout(timer);
      reject(error);
    };
    const add = (index: number, found: Seen) => {
      seen.set(index, found);
      const open = looks.findIndex((_, each) => !seen.has(each));
      const dsm = looks.findIndex((_, each) => seen.get(each)?.kind === 'dsm');
      if (open < 0 || (dsm >= 0 && dsm < open)) finish();
      else if (dsm >= 0) timer ??= setTimeout(finish, moment);
    };
    looks.forEach((look, index) => {
      look.then(found => add(index, found), fail);
    });
  });
}

/** RR, Arc and ARPL stop their boot when somebody logs in: a page and a greeting are no login. */
async function lookForLoader(
  address: string,
  { terminal, ssh }: LoaderPorts,
  closed: string,
  limits: Limits,
): Promise<Seen | null> {
  const [page, greeting] = await Promise.all([
    get({ address, name: null, port: terminal, secure: false, path: '/' }, limits),
    sshBanner(address, ssh, limits),
  ]);
  if (page.failure === null && pageOf(page) === 'loader') {
    const explanation = `${closed}, but a loader's terminal answers on port ${terminal}.`;
    return { ...nowhere('loader', explanation), ms: page.ms, port: terminal };
  }
  if (greeting === null) return null;
  const explanation = `SSH answers on port ${ssh} but DSM's page does not, as with a loader.`;
  return { ...nowhere('loader', explanation), ms: greeting };
}

function nowhere(kind: Seen['kind'], explanation: string): Seen {
  return { kind, ms: null, explanation, port: null, secure: false, name: null, base: '' };
}
