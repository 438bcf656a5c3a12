import { readState } from './dsm-answers.ts';
import type { Findings } from './finding.ts';
import { type Followed, follow } from './http/follow.ts';
import { get, type HttpAnswer, type HttpFailure } from './http/get.ts';
import { type PageKind, pageOf, titleOf } from './page.ts';

/** What answers at one web port, with the sentence that tells it. */

export interface WebPort {
  port: number;
  /** https; null: find out. */
  secure: boolean | null;
}

export interface Look {
  /** IPv4. */
  address: string;
  /** All that this machine is known to serve pages on. */
  ports: readonly number[];
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
  const { address, ports, connectTimeout, signal } = look;
  const visit = (tls: boolean) =>
    follow({ address, port, secure: tls, path: '/' }, { timeout: look.left(), connectTimeout, signal }, ports);
  const first = await visit(secure ?? false);
  const second = secure === null && wantsTls(first) ? await visit(true) : first;
  const { result, ...way } = second.result.failure === null ? second : first;
  return result.failure === null ? judge(port, way, result, look) : unseen(port, way, result);
}

/** A plain request at a TLS port: nginx and Apache say so, others drop it or answer in TLS. */
function wantsTls({ result, hops }: Followed): boolean {
  if (hops > 0) return false;
  if (result.failure !== null) return result.failure === 'reset' || result.failure === 'not_http';
  return result.status === 400 && /http request was sent to https port|plain http to an ssl-enabled/i.test(result.body);
}

function unseen(port: number, { at, hops }: Way, { failure, accepted }: HttpFailure): Seen {
  const where = { ms: null, port: null, secure: at.secure };
  if (hops > 0) {
    const why = accepted ? 'where no page comes' : 'which does not accept connections';
    return { ...where, kind: 'silent', explanation: `Port ${port} redirects to port ${at.port}, ${why}.` };
  }
  if (!accepted) return { ...where, kind: 'closed', explanation: `Port ${port} does not accept connections.` };
  return { ...where, kind: 'silent', explanation: `Port ${port} accepts connections, but ${silence(failure)}.` };
}

async function judge(port: number, way: Way, answer: HttpAnswer, look: Look): Promise<Seen> {
  const where = { ms: answer.ms, port: way.at.port, secure: way.at.secure };
  const kind = pageOf(answer);
  if (kind !== 'other') return { ...where, kind, explanation: `${pages[kind]} answers on port ${where.port}.` };
  if (way.stopped) return { ...where, kind, explanation: `Port ${port} redirects ${stops[way.stopped]}.` };
  const none = absence(answer);
  if (none) return { ...where, kind: 'silent', explanation: `Port ${where.port} answers, but ${none}.` };
  if (await isInstaller(where, look)) {
    return { ...where, kind: 'installer', explanation: `${pages.installer} answers on port ${where.port}.` };
  }
  const title = titleOf(answer.body);
  const what = `${title === null ? '' : `“${title}”, `}HTTP ${answer.status}`;
  return { ...where, kind, explanation: `Port ${where.port} answers with a page that is not DSM's (${what}).` };
}

/** The installer's page may change its looks; how it tells its state stays. */
async function isInstaller(at: { port: number; secure: boolean }, { address, left, signal }: Look): Promise<boolean> {
  const path = '/webman/get_state.cgi';
  const state = await get({ address, port: at.port, secure: at.secure, path }, { timeout: left(), signal });
  return state.failure === null && readState(state.body) !== null;
}

/** A web server that has no page to show: its word for that is no page of something else. */
function absence({ status, body }: HttpAnswer): string | null {
  if (status >= 502 && status <= 504) return `what is behind its web server does not yet (HTTP ${status})`;
  return body.trim() === '' ? `with an empty page (HTTP ${status})` : null;
}

function silence(failure: HttpFailure['failure']): string {
  if (failure === 'timeout') return 'no page comes in time';
  if (failure === 'tls') return 'does not speak https';
  return failure === 'not_http' ? 'what answers is no web server' : 'drops them before a page comes';
}

const pages: Readonly<Record<Exclude<PageKind, 'other'>, string>> = {
  dsm: "DSM's page",
  installer: "Synology's Web Assistant",
  loader: "A loader's own page",
};

const stops = { elsewhere: 'to another machine', loop: 'in a circle', too_many: 'again and again' } as const;
