import { within } from '../../util/deadline.ts';
import { probeTcp } from '../../util/tcp-probe.ts';
import type { Known } from './finding.ts';

/** Whether the servers answer that a build fetches from. */

/** Asks one server, on TCP 443. */
export type Reach = (host: string, signal: AbortSignal) => Promise<Known>;

const servers = ['github.com', 'raw.githubusercontent.com', 'global.download.synology.com'];
/** Milliseconds. */
const patience = 5_000;

/** `no` if one of them cannot be reached, `unknown` if one of them says nothing. Rejects with the signal's reason only. */
export async function sourcesReachable(signal: AbortSignal, reach: Reach = reachByTcp): Promise<Known> {
  const asked = servers.map(host =>
    within(patience, signal, limit => reach(host, limit).catch(() => 'unknown' as const), 'unknown'),
  );
  const answers = await Promise.all(asked);
  if (answers.includes('no')) return 'no';
  return answers.includes('unknown') ? 'unknown' : 'yes';
}

const reachByTcp: Reach = async (host, signal) => {
  const { answer, code } = await probeTcp(host, 443, { timeout: patience, signal });
  if (answer === 'open') return 'yes';
  return answer === 'refused' || code === 'ENOTFOUND' ? 'no' : 'unknown';
};
