import { type InstallState, readApiInfo, readPingpong, readState } from '../dsm-answers.ts';
import type { Findings, Kind, Limits } from '../finding.ts';
import { follow } from '../http/follow.ts';
import type { HttpFailure, HttpResult } from '../http/get.ts';

/**
 * What DSM says of itself without a login: whether it has booted, and where no DSM runs, what its installer waits for.
 * Disks that sleep are left asleep: nothing more is asked once DSM says so.
 */

export interface DsmTarget {
  /** IPv4. */
  address: string;
  port: number;
  secure: boolean;
}

type Found = Findings['dsm'];

const info = 'api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth';
/** The second is of DSM 7 alone. */
const infoPaths = [`/webapi/query.cgi?${info}`, `/webapi/entry.cgi?${info}`];

/** Rejects only with the reason of `limits.signal`. */
export async function dsm(target: DsmTarget, limits: Limits): Promise<Found> {
  const ask = asker(target, limits);
  const on = `on port ${target.port}`;
  // One that hangs says nothing of the others, which need time as well.
  const pingpong = await ask('/webman/pingpong.cgi?action=cors', 2);
  if (pingpong.failure !== null && !pingpong.accepted) return found('silent', silence(pingpong, target.port));
  const pong = read(pingpong, readPingpong);
  if (pong?.bootDone === false) return found('starting', `DSM answers ${on}, but has not finished booting.`, pong.ms);
  if (pong?.hibernating) {
    return found('asleep', `DSM answers ${on}, and its disks are asleep; it was asked nothing more.`, pong.ms);
  }
  const results = [pingpong];
  for (const path of infoPaths) {
    const result = await ask(path);
    results.push(result);
    const api = read(result, readApiInfo);
    if (api) return found('ready', `DSM answers ${on}${pong?.bootDone ? ' and has finished booting' : ''}.`, api.ms);
    if (result.failure !== null) break;
  }
  const last = await ask('/webman/get_state.cgi');
  const state = read(last, readState);
  if (state) return { ...found(...waiting(state, on), state.ms), identity: state.identity };
  if (pong) return found('mute', `DSM's web server answers ${on}, but its API does not.`, pong.ms);
  return undecided([...results, last], target.port);
}

/** Every question gets what is left of the time, or its share of that. */
function asker({ address, port, secure }: DsmTarget, { timeout, signal }: Limits) {
  const ends = performance.now() + timeout;
  // Some versions answer pingpong only to a page of theirs.
  const headers = { referer: `${secure ? 'https' : 'http'}://${address}:${port}/` };
  return async (path: string, share = 1): Promise<HttpResult> => {
    const left = Math.max(0, ends - performance.now()) / share;
    return (await follow({ address, port, secure, path, headers }, { timeout: left, signal })).result;
  };
}

function read<T>(result: HttpResult, reader: (body: string) => T | null): (T & { ms: number }) | null {
  const answer = result.failure === null ? reader(result.body) : null;
  return answer && result.failure === null ? { ...answer, ms: result.ms } : null;
}

function waiting({ status, installing }: InstallState, on: string): [Kind<'dsm'>, string] {
  if (installing) return ['updating', `DSM is being installed or updated, says the Web Assistant ${on}.`];
  if (status === 'sys_crash')
    return ['recoverable', `DSM is damaged, and the Web Assistant ${on} offers to repair it.`];
  if (status === 'sys_migrat') {
    return ['migratable', `The disks come from another machine, and the Web Assistant ${on} offers to migrate them.`];
  }
  const known = status === 'not_install';
  return ['installer', `${known ? 'No DSM is installed' : 'DSM does not run'}, and the Web Assistant ${on} waits.`];
}

/** Nothing came in DSM's words. */
function undecided(results: readonly HttpResult[], port: number): Found {
  const answers = results.filter(result => result.failure === null);
  const [first] = answers;
  if (!first) {
    const failure = results.find(result => result.failure !== null);
    return found('silent', silence(failure, port));
  }
  // DSM's nginx says this while what it hands its API to is not up. At DSM's own port nobody else is likely to.
  const alone = answers.find(({ status }) => status >= 502 && status <= 504);
  if (alone) {
    const explanation = `The web server on port ${port} runs, but DSM behind it does not answer`;
    return found('mute', `${explanation} (HTTP ${alone.status}).`, alone.ms);
  }
  return found('other', `Port ${port} answers, but not in DSM's words (HTTP ${first.status}).`, first.ms);
}

function silence(result: HttpFailure | undefined, port: number): string {
  if (!result?.accepted) return `Port ${port} does not accept connections.`;
  if (result.failure === 'timeout') return `Port ${port} accepts connections, but DSM does not answer in time.`;
  if (result.failure === 'reset') return `Port ${port} accepts connections, but drops them without an answer.`;
  return `Port ${port} accepts connections, but does not answer as DSM's web server does.`;
}

function found(kind: Kind<'dsm'>, explanation: string, ms: number | null = null): Found {
  return { kind, ms, explanation, identity: null };
}
