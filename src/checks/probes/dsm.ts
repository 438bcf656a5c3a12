import { bare, type DsmPlace, type Findings, type Kind, type Limits } from '../finding.ts';
import { type Followed, follow } from '../http/follow.ts';
import type { HttpFailure, Place } from '../http/get.ts';
import { type InstallState, readApiInfo, readPingpong, readState } from './dsm-answers.ts';
import { shorten } from './web/page.ts';

/**
 * What DSM reports about itself without a login: whether it has booted, and if no DSM runs, what its installer waits
 * for. It does not wake sleeping disks: when DSM reports them, it asks nothing more.
 */

interface DsmTarget extends DsmPlace {
  /** IPv4. */
  address: string;
}

type Found = Findings['dsm'];

const info = 'api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth';
/** The second is of DSM 7 alone. */
const infoPaths = [`/webapi/query.cgi?${info}`, `/webapi/entry.cgi?${info}`];

/** Rejects only with the reason of `limits.signal`. */
export async function dsm(target: DsmTarget, limits: Limits): Promise<Found> {
  const ask = createAsk(target, limits);
  const found = await converse(target.port, target.base, ask);
  // The page's prefix may not apply to all paths behind a proxy.
  const lost = target.base !== '' && (found.kind === 'other' || found.kind === 'silent');
  return lost ? converse(target.port, '', ask) : found;
}

async function converse(port: number, base: string, ask: Ask): Promise<Found> {
  // This question may hang alone, so half the time is kept for the others.
  const pingpong = await ask(`${base}/webman/pingpong.cgi?action=cors`, 2);
  const { result } = pingpong;
  if (result.failure !== null && !result.accepted && pingpong.hops === 0) return found('silent', silence(result, port));
  const pong = read(pingpong, readPingpong);
  if (pong?.bootDone === false) {
    return found('starting', `DSM answers ${pong.on}, but has not finished booting.`, pong.ms);
  }
  if (pong?.hibernating) {
    return found('asleep', `DSM answers ${pong.on}, and its disks are asleep; it was asked nothing more.`, pong.ms);
  }
  const answers = [pingpong];
  for (const path of infoPaths) {
    const answer = await ask(base + path);
    answers.push(answer);
    const api = read(answer, readApiInfo);
    const done = pong?.bootDone ? ' and has finished booting' : '';
    if (api) return found('ready', `DSM answers ${api.on}${done}.`, api.ms);
    if (answer.result.failure !== null) break;
  }
  const last = await ask(`${base}/webman/get_state.cgi`);
  const state = read(last, readState);
  if (state)
    return { ...found(...waiting(state, `the Web Assistant ${state.on}`), state.ms), identity: state.identity };
  if (pong) return found('mute', `DSM's web server answers ${pong.on}, but its API does not.`, pong.ms);
  return undecided([...answers, last], port);
}

type Ask = (path: string, share?: number) => Promise<Followed>;

/** Every question gets the rest of the time, or its share of the rest. */
function createAsk({ base: _, ...target }: DsmTarget, { timeout, signal }: Limits): Ask {
  const ends = performance.now() + timeout;
  return (path, share = 1) => {
    const left = Math.max(0, ends - performance.now()) / share;
    return follow({ ...target, path }, { timeout: left, signal });
  };
}

type Read<T> = T & { ms: number; on: string };

function read<T>({ result, at }: Followed, reader: (body: string) => T | null): Read<T> | null {
  const answer = result.failure === null ? reader(result.body) : null;
  return answer && result.failure === null ? { ...answer, ms: result.ms, on: onPort(at) } : null;
}

function onPort({ port, name }: Place): string {
  return `on port ${port}${name === null ? '' : ` as ${shorten(name)}`}`;
}

/** `assistant`: the Web Assistant's name and address. */
function waiting(state: InstallState, assistant: string): [Kind<'dsm'>, string] {
  const { status, installing, hasDisk, diskLargeEnough } = state;
  if (installing) return ['updating', `DSM is being installed or updated, says ${assistant}.`];
  // Before its status, which is outdated when a disk has gone.
  if (hasDisk === false) return ['no_disk', `DSM sees no disk, says ${assistant}.`];
  if (status === 'sys_crash') return ['recoverable', `DSM is damaged, and ${assistant} offers to repair it.`];
  if (status === 'sys_migrat') {
    return ['migratable', `The disks come from another machine, and ${assistant} offers to migrate them.`];
  }
  if (diskLargeEnough === false) return ['small_disk', `No disk is large enough for DSM, says ${assistant}.`];
  const known = status === 'not_install' ? 'No DSM is installed' : 'DSM does not run';
  return ['installer', `${known}, and ${assistant} waits.`];
}

/** Nothing came in DSM's words. */
function undecided(asked: readonly Followed[], port: number): Found {
  const answers = asked.map(({ result }) => result).filter(result => result.failure === null);
  // DSM's nginx answers so while the API behind it is down. At DSM's own port, other servers are unlikely.
  const alone = answers.find(({ status }) => status >= 502 && status <= 504);
  const runs = `The web server on port ${port} runs, but DSM behind it does not answer`;
  if (alone) return found('mute', `${runs} (HTTP ${alone.status}).`, alone.ms);
  const [first] = answers;
  if (first) return found('other', `Port ${port} answers, but not in DSM's words (HTTP ${first.status}).`, first.ms);
  // A server that hangs accepts the question, and does not answer in time.
  const hangs = ({ failure, accepted }: HttpFailure) => accepted && failure === 'timeout';
  const astray = asked.find(({ result, hops }) => hops > 0 && result.failure !== null && !hangs(result));
  if (astray) return found('other', `Port ${port} redirects to where nothing answers ${onPort(astray.at)}.`);
  const failure = asked.map(({ result }) => result).find(result => result.failure !== null);
  return found('silent', silence(failure, port));
}

function silence(result: HttpFailure | undefined, port: number): string {
  if (!result?.accepted) return `Port ${port} does not accept connections.`;
  const how = { timeout: 'DSM does not answer in time', reset: 'drops them without an answer' };
  const otherwise = "does not answer as DSM's web server does";
  return `Port ${port} accepts connections, but ${how[result.failure as keyof typeof how] ?? otherwise}.`;
}

function found(kind: Kind<'dsm'>, explanation: string, ms: number | null = null): Found {
  return { ...bare('dsm', kind, explanation), ms };
}
