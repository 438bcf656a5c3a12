import type { DsmIdentity } from '../../../model/check.ts';
import type { DsmPlace, Findings } from '../../finding.ts';
import { type Followed, follow } from '../../http/follow.ts';
import { get, type HttpAnswer, type HttpFailure, type Place } from '../../http/get.ts';
import { readState } from '../dsm-answers.ts';
import { gateOf, type PageKind, pageOf, shorten, titleOf } from './page.ts';

/** What answers at one web port, and the sentence that reports it. */

export interface WebPort {
  port: number;
  /** https; null: find out. */
  secure: boolean | null;
}

/** The usual ports of DSM's pages. */
export const usualPorts = { http: 5_000, https: 5_001 } as const;

/** Ports that DSM serves, but that have no web pages. */
const otherServices: ReadonlySet<number> = new Set([21, 22, 111, 137, 138, 139, 445, 548, 873, 2049, 3260, 9999]);

/** The ports to try for DSM's pages: those that DSM reports, and its usual ones or else the configured ones. */
export function webPorts(ports: readonly number[], identity: DsmIdentity | null): WebPort[] {
  const page = (port: number | null | undefined, secure: boolean) => (port ? [{ port, secure }] : []);
  const told = [...page(identity?.httpPort, false), ...page(identity?.httpsPort, true)];
  const usual = [...page(usualPorts.http, false), ...page(usualPorts.https, true)];
  const expected = usual.filter(({ port }) => ports.includes(port));
  const others = ports.filter(port => !otherServices.has(port)).map(port => ({ port, secure: null }));
  const known: WebPort[] = [...told, ...(expected.length > 0 ? expected : others)];
  const all = known.length > 0 ? known : usual;
  return all.filter(({ port }, i) => all.findIndex(other => other.port === port) === i);
}

export interface Look {
  /** IPv4. */
  address: string;
  /** Milliseconds until a port must have accepted. */
  connectTimeout: number;
  /** Milliseconds that are left. */
  left(): number;
  signal: AbortSignal;
}

type Seen = Findings['web'];
type Way = Omit<Followed, 'result'>;

/** Rejects only with the reason of `look.signal`. */
export async function lookAt({ port, secure }: WebPort, look: Look): Promise<Seen> {
  const { address, connectTimeout, signal } = look;
  const visit = async (tls: boolean) => {
    const place = { address, name: null, port, secure: tls, path: '/' };
    return { tls, ...(await follow(place, { timeout: look.left(), connectTimeout, signal })) };
  };
  const first = await visit(secure ?? false);
  const second = secure === null && wantsTls(first) ? await visit(true) : first;
  const { result, tls, ...way } = second.result.failure === null ? second : first;
  const origin: DsmPlace = { port, secure: tls, name: null, base: '' };
  return result.failure === null ? judge(origin, way, result, look) : unseen(origin, way, result);
}

/** A plain request at a TLS port: nginx and Apache report it, others hang up or answer in TLS. */
function wantsTls({ result, hops }: Followed): boolean {
  if (hops > 0) return false;
  if (result.failure !== null) return result.failure === 'reset' || result.failure === 'not_http';
  return result.status === 400 && /http request was sent to https port|plain http to an ssl-enabled/i.test(result.body);
}

function unseen(origin: DsmPlace, { at, hops }: Way, { failure, accepted }: HttpFailure): Seen {
  const { port } = origin;
  const nowhere = { ms: null, port: null, secure: at.secure, name: null, base: '' };
  // For clients in the network, that name may lead to another machine. But if the page is only late, DSM is silent.
  if (at.name !== null && !(accepted && failure === 'timeout')) {
    const explanation = `Port ${port} sends its guests to ${shorten(at.name)}, and under that name nothing answers here on port ${at.port}.`;
    return { ...origin, ms: null, kind: 'behind', explanation };
  }
  if (hops > 0) {
    const why = accepted ? 'where no page comes' : 'which does not accept connections';
    return { ...nowhere, kind: 'silent', explanation: `Port ${port} redirects to port ${at.port}, ${why}.` };
  }
  if (!accepted) return { ...nowhere, kind: 'closed', explanation: `Port ${port} does not accept connections.` };
  return { ...nowhere, kind: 'silent', explanation: `Port ${port} accepts connections, but ${silence(failure)}.` };
}

async function judge(origin: DsmPlace, { at, stopped }: Way, answer: HttpAnswer, look: Look): Promise<Seen> {
  const { ms, status, body } = answer;
  const { path, ...place } = at;
  const as = at.name === null ? '' : ` as ${shorten(at.name)}`;
  const kind = pageOf(answer);
  const answers = (what: keyof typeof pages) => `${pages[what]} answers on port ${at.port}${as}.`;
  if (kind !== 'other') return { ...place, base: baseOf(path), ms, kind, explanation: answers(kind) };
  // Wherever a redirect led, DSM is asked at the original port.
  const behind = (explanation: string): Seen => ({ ...origin, ms, kind: 'behind', explanation });
  if (stopped !== null) return behind(`Port ${origin.port} ${astray(stopped)}.`);
  const here = (kind: Seen['kind'], explanation: string): Seen => ({ ...place, base: '', ms, kind, explanation });
  const title = titleOf(body);
  const what = `${title === null ? '' : `“${title}”, `}HTTP ${status}`;
  const page = `Port ${at.port} answers${as} with a page that`;
  const gate = gateOf(answer);
  if (gate !== null) return behind(`${page} ${gate} (${what}).`);
  // The web server has no page to show; its error page does not show that something else than DSM answers.
  if (status >= 502 && status <= 504) {
    return here('silent', `Port ${at.port} answers, but what is behind its web server does not yet (HTTP ${status}).`);
  }
  if (body.trim() === '') return here('silent', `Port ${at.port} answers, but with an empty page (HTTP ${status}).`);
  if (await isInstaller(at, look)) return here('installer', answers('installer'));
  const explanation = `${page} is not DSM's (${what}).`;
  return at.name === null ? here(kind, explanation) : behind(explanation);
}

/** The prefix before DSM's own paths, added by a proxy: `/dsm` of `/dsm/webman/index.cgi`. */
function baseOf(path: string): string {
  const [folders = ''] = path.split('?', 1);
  return folders.slice(0, folders.lastIndexOf('/')).replace(/\/webman$/, '');
}

/** The installer's page may change; the question for its state does not. */
async function isInstaller(at: Place, { address, left, signal }: Look): Promise<boolean> {
  const state = await get({ ...at, address, path: '/webman/get_state.cgi' }, { timeout: left(), signal });
  return state.failure === null && readState(state.body) !== null;
}

/** Why a port that accepts has no page; it completes "accepts connections, but". */
export function silence(failure: HttpFailure['failure']): string {
  if (failure === 'timeout') return 'no page comes in time';
  if (failure === 'tls') return 'does not speak https';
  return failure === 'not_http' ? 'what answers is no web server' : 'drops them before a page comes';
}

const pages: Readonly<Record<Exclude<PageKind, 'other'>, string>> = {
  dsm: "DSM's page",
  installer: "Synology's Web Assistant",
  loader: "A loader's own page",
};

function astray(stopped: NonNullable<Way['stopped']>): string {
  if (stopped === 'loop') return 'redirects in a circle';
  if (stopped === 'too_many') return 'redirects again and again';
  return `sends its guests to ${shorten(stopped.elsewhere)}, which is not followed: it is another address`;
}
