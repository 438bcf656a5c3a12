import { addAbortListener } from 'node:events';
import type { ProbeName } from '../../model/check.ts';
import { bare, type Findings, type Kind, type Limits } from '../finding.ts';
import type { ProbeTable, Targets } from '../probes.ts';

/**
 * Time for the probes of one check. Each probe has its own limit, all share the check's, and a probe that overruns its
 * limit is left behind.
 */

export interface Ask {
  /** Resolves to a probe's finding; to none, when its time is up or it fails. Rejects when the check is ended. */
  <P extends ProbeName>(probe: P, target: Targets[P]): Promise<Findings[P]>;
  /** Likewise, for what is no probe. */
  any<T>(otherwise: T, run: (limits: Limits) => Promise<T>): Promise<T>;
}

/** Milliseconds that a check takes at most: at most so many probes wait for one another. */
export function longest(probeTimeout: number): number {
  return 4 * probeTimeout;
}

export function createAsk(probes: ProbeTable, probeTimeout: number, signal: AbortSignal): Ask {
  const end = performance.now() + longest(probeTimeout);
  const bounded = async <T>(otherwise: T, run: (limits: Limits) => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    // Node's timers of sockets and processes take no fractions.
    const timeout = Math.min(probeTimeout, Math.ceil(end - performance.now()));
    if (timeout <= 0) return otherwise;
    const over = new AbortController();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => {
      resolve(otherwise);
      over.abort();
    }, timeout + grace);
    using _ = addAbortListener(signal, () => {
      reject(signal.reason);
      over.abort(signal.reason);
    });
    run({ timeout, signal: over.signal }).then(resolve, () => resolve(otherwise));
    await promise.finally(() => clearTimeout(timer));
    signal.throwIfAborted();
    return promise;
  };
  const any: Ask['any'] = (otherwise, run) => {
    const answer = bounded(otherwise, run);
    // Several run at once: a rejection must not end the process before its promise is awaited.
    answer.catch(() => {});
    return answer;
  };
  const ask = <P extends ProbeName>(probe: P, target: Targets[P]) =>
    any<Findings[P]>(silenceOf(probe), limits => probes[probe](target, limits));
  return Object.assign(ask, { any });
}

/** Milliseconds beyond its time in which a probe may still report why it is late. */
const grace = 50;

/** Of a probe that needs an address. */
export function nowhere<P extends ProbeName>(probe: P): Findings[P] {
  return bare(probe, 'not_applicable' as Kind<P>, 'It was not asked, because the address is not known.');
}

const speaking: ReadonlySet<ProbeName> = new Set(['tcp', 'web', 'dsm', 'http', 'ssh', 'agent']);

/** No answer came in time: that is silence, for probes where silence has a meaning. */
function silenceOf<P extends ProbeName>(probe: P): Findings[P] {
  const kind = speaking.has(probe) ? 'silent' : 'not_applicable';
  return bare(probe, kind as Kind<P>, 'No answer came in time.');
}
