import { setTimeout as delay } from 'node:timers/promises';
import { inTime } from '../../util/deadline.ts';
import { enumerate } from '../../util/enumerate.ts';
import { bare, type Findings, type Limits } from '../finding.ts';
import { get } from '../http/get.ts';
import { ssh as askSsh } from './ssh.ts';
import { pageOf } from './web/page.ts';
import { lookAt, type WebPort } from './web/port.ts';

/**
 * What kind of page answers at an address. The best page of all ports wins. If no port accepts, it looks for a loader's
 * terminal or SSH. It never logs in.
 */

interface WebTarget {
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
/** Milliseconds that the first port gets alone: TLS is expensive, and useless if http answers. */
const headStart = 75;
/** Milliseconds that an earlier port still gets to answer: otherwise chance would decide which one is reported. */
const moment = 300;

/** Rejects only with the reason of `limits.signal`. */
export async function web(
  { address, ports, loaderSigns }: WebTarget,
  { timeout, signal }: Limits,
  loaderPorts: LoaderPorts = { terminal: 7681, ssh: 22 },
): Promise<Seen> {
  if (ports.length === 0) return bare('web', 'not_applicable', 'No web port is configured.');
  const ends = performance.now() + timeout;
  const left = () => Math.max(0, ends - performance.now());
  const through = new AbortController();
  // A port that has not accepted by half the time never will; the rest of the time is for the loader's ports.
  const look = { address, connectTimeout: timeout / 2, left, signal: AbortSignal.any([signal, through.signal]) };
  const seen = await enough(inTurn(ports, port => lookAt(port, look), look.signal)).finally(() => through.abort());
  const best = seen.toSorted((a, b) => ranks.indexOf(a.kind) - ranks.indexOf(b.kind))[0];
  if (best && best.kind !== 'closed') return best;
  const closed = `No web port accepts connections (${enumerate(ports.map(({ port }) => port))})`;
  const loader = loaderSigns ? await lookForLoader(address, loaderPorts, closed, { timeout: left(), signal }) : null;
  return loader ?? bare('web', 'closed', `${closed}.`);
}

/** Each begins when the one before takes long, or has not found DSM's page: nothing is better than that. */
function inTurn(
  ports: readonly WebPort[],
  begin: (port: WebPort) => Promise<Seen>,
  signal: AbortSignal,
): readonly Promise<Seen>[] {
  const looks: Promise<Seen>[] = [];
  for (const port of ports) {
    const before = looks.at(-1);
    const turn = before && inTime(before, headStart, null, signal).catch(() => null);
    looks.push(Promise.resolve(turn).then(found => (found?.kind === 'dsm' ? found : begin(port))));
  }
  return looks;
}

/** Resolves when the best page is certain: all have ended, or DSM and all before it have, or DSM has a moment ago. */
async function enough(looks: readonly Promise<Seen>[]): Promise<readonly Seen[]> {
  const seen: (Seen | null)[] = looks.map(() => null);
  const noted = looks.map(async (look, index) => {
    seen[index] = await look;
    return seen[index];
  });
  const dsm = async (some: readonly Promise<Seen>[]) => {
    const last = (await Promise.all(some)).at(-1);
    return last?.kind === 'dsm' ? null : new Promise<never>(() => {});
  };
  await Promise.race([
    Promise.all(noted),
    ...noted.map((_, index) => dsm(noted.slice(0, index + 1))),
    ...noted.map(look => dsm([look]).then(() => delay(moment, null, { ref: false }))),
  ]);
  return seen.filter(each => each !== null);
}

/** RR, Arc and ARPL stop their boot when somebody logs in; reading a page or a greeting is no login. */
async function lookForLoader(
  address: string,
  { terminal, ssh }: LoaderPorts,
  closed: string,
  limits: Limits,
): Promise<Seen | null> {
  const [page, greeting] = await Promise.all([
    get({ address, name: null, port: terminal, secure: false, path: '/' }, limits),
    askSsh({ address, port: ssh }, limits),
  ]);
  if (page.failure === null && pageOf(page) === 'loader') {
    const explanation = `${closed}, but a loader's terminal answers on port ${terminal}.`;
    return { ...bare('web', 'loader', explanation), ms: page.ms, port: terminal };
  }
  if (greeting.kind !== 'ok') return null;
  const explanation = `SSH answers on port ${ssh} but DSM's page does not, as with a loader.`;
  return { ...bare('web', 'loader', explanation), ms: greeting.ms };
}
