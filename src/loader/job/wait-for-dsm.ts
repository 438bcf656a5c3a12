import { setTimeout as delay } from 'node:timers/promises';
import type { Check, Verdict } from '../../model/check.ts';
import { LoaderFailure } from './failure.ts';
import type { JobParts } from './parts.ts';

type Come = 'up' | 'installer';

/** Verdicts that end the wait. */
const ends: Readonly<Partial<Record<Verdict, Come>>> = {
  ...{ up: 'up', degraded: 'up', installer: 'installer', recoverable: 'installer' },
};
/** Verdicts that the checks are sure of: so many in a row end the wait. */
const lost: ReadonlySet<Verdict> = new Set(['off', 'paused', 'crashed', 'unreachable']);
const looksToBeLost = 3;

/**
 * Checks a DSM that was just started until it is up or its installer is. Any other verdict must last for a while: a loader
 * shows its own page for a moment at each boot. Rejects with `LoaderFailure`.
 */
export async function awaitDsm(
  { guest, times: { look, settle } }: Pick<JobParts, 'guest' | 'times'>,
  say: (words: string) => void,
  progress: (share: number) => void,
  signal: AbortSignal,
): Promise<{ check: Check; come: Come }> {
  // An update may take four times the usual; the checks reach their own verdict sooner.
  const patience = guest.bootGrace * 4 + settle;
  const began = performance.now();
  let since = { verdict: null as Verdict | null, at: began, looks: 0 };
  for (;;) {
    const check = await guest.check(signal);
    signal.throwIfAborted();
    const now = performance.now();
    progress((now - began) / guest.bootGrace);
    if (check && check.verdict !== since.verdict) {
      since = { verdict: check.verdict, at: now, looks: 0 };
      say(`${check.verdict}: ${check.reason}`);
    }
    const come = check && ends[check.verdict];
    if (check && come) return { check, come };
    if (check) {
      since.looks += 1;
      // Counted, not timed: a machine that pauses for a moment makes no checks.
      const isLost = lost.has(check.verdict) && since.looks >= looksToBeLost;
      const isStuck = check.verdict === 'loader' && now - since.at >= settle;
      if (isLost || isStuck) throw notUp(check);
    }
    if (now - began >= patience) throw notUp(check);
    await delay(look, undefined, { signal });
  }
}

function notUp(check: Check | null): LoaderFailure {
  const what = check ? `${check.verdict}: ${check.reason}` : 'nobody could look';
  // Not the check's advice for `loader`, which is to wait.
  const advice = check?.verdict === 'loader' ? "Look at the VM's screen: which entry has started." : check?.nextStep;
  return new LoaderFailure('dsm_not_up', `DSM has not come up: ${what}`, advice ?? null);
}
