import { bare, type Findings, type Kind, type Limits } from '../finding.ts';
import { get, type HttpAnswer } from '../http/get.ts';
import { shorten } from './web/page.ts';
import { silence } from './web/port.ts';

/** Whether pages answer with the expected status, and until when their certificates are valid. */

/** One page of `checks.http`. */
export interface HttpCheck {
  port: number;
  tls: boolean;
  /** With the query: `/health?full`. */
  path: string;
  /** The host name in the request; null: the address. */
  host: string | null;
  status: number;
}

interface HttpProbeTarget {
  /** IPv4. */
  address: string;
  pages: readonly HttpCheck[];
}

interface Seen {
  kind: Exclude<Kind<'http'>, 'some'>;
  ms: number | null;
  explanation: string;
  days: number | null;
}

/** From the worst up. */
const ranks: readonly Seen['kind'][] = ['silent', 'refused', 'mute', 'wrong', 'expired', 'ok'];
const answering: ReadonlySet<Seen['kind']> = new Set(['wrong', 'expired', 'ok']);
const day = 86_400_000;

/** The worst page counts. Follows no redirect. Rejects only with the reason of `limits.signal`. */
export async function http({ address, pages }: HttpProbeTarget, limits: Limits): Promise<Findings['http']> {
  const seen = await Promise.all(pages.map(page => lookAt(address, page, limits)));
  const [worst] = seen.toSorted((a, b) => ranks.indexOf(a.kind) - ranks.indexOf(b.kind));
  if (!worst) return bare('http', 'not_applicable', 'No page is configured.');
  const days = seen.flatMap(page => page.days ?? []);
  const answers = seen.filter(({ kind }) => answering.has(kind));
  const some = answers.length > 0 && answers.length < seen.length;
  const faults = seen.filter(({ kind }) => kind !== 'ok');
  return {
    kind: some ? 'some' : worst.kind,
    ms: worst.ms,
    explanation: (faults.length > 0 ? faults : seen).map(({ explanation }) => explanation).join(' '),
    certificateDays: days.length > 0 ? Math.min(...days) : null,
  };
}

async function lookAt(address: string, page: HttpCheck, limits: Limits): Promise<Seen> {
  const { port, tls, path, host } = page;
  const result = await get({ address, name: host, port, secure: tls, path }, limits);
  if (result.failure === null) return { ms: result.ms, ...judge(page, address, result) };
  const { accepted, failure } = result;
  const kind = accepted ? 'mute' : failure === 'refused' ? 'refused' : 'silent';
  const why = accepted ? `accepts connections, but ${silence(failure)}` : 'does not accept connections';
  return { kind, ms: null, explanation: `Port ${port} ${why}.`, days: null };
}

/** With a redirect's target, because that is what is usually meant to be asked instead. */
function judge(page: HttpCheck, address: string, { status, headers, certificate }: HttpAnswer): Omit<Seen, 'ms'> {
  const { port, tls, path, host } = page;
  const url = shorten(`${tls ? 'https' : 'http'}://${host ?? address}:${port}${path}`);
  const now = Date.now();
  const days = certificate && Math.floor((certificate.until - now) / day);
  const { location } = headers;
  const leads = location === undefined ? '' : ` and leads to ${shorten(location)}`;
  const answers = `${url} answers with HTTP ${status}`;
  if (status !== page.status) {
    return { kind: 'wrong', explanation: `${answers}${leads}, not with ${page.status}.`, days };
  }
  if (certificate === null || days === null) return { kind: 'ok', explanation: `${answers}.`, days };
  const [from, until] = [certificate.from, certificate.until].map(time => new Date(time).toISOString().slice(0, 10));
  const early = now < certificate.from ? `is valid only from ${from}` : null;
  const fault = now > certificate.until ? `expired on ${until}` : early;
  if (fault) return { kind: 'expired', explanation: `The certificate of ${url} ${fault}.`, days };
  return { kind: 'ok', explanation: `${answers}; its certificate is valid until ${until}.`, days };
}
