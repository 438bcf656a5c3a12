import { expect, test } from 'vitest';
import { type Guest, usualTimes } from '../../../src/loader/job/parts.ts';
import { awaitDsm } from '../../../src/loader/job/wait-for-dsm.ts';
import type { Verdict } from '../../../src/model/check.ts';
import { checkOf } from '../../model/samples.ts';

const times = { ...usualTimes, look: 1, settle: 30 };

/** Says these one after the other, and the last for ever. */
function guest(verdicts: readonly (Verdict | null)[], bootGrace = 1_000): Guest {
  let at = 0;
  return {
    address: () => null,
    identify: async () => 'none',
    check: async () => {
      const verdict = verdicts[Math.min(at++, verdicts.length - 1)] ?? null;
      return verdict === null ? null : checkOf(verdict);
    },
    bootGrace,
  };
}

const wait = (verdicts: readonly (Verdict | null)[], bootGrace?: number, signal = AbortSignal.timeout(60_000)) => {
  const said: string[] = [];
  const done = awaitDsm(
    { guest: guest(verdicts, bootGrace), times },
    words => said.push(words),
    () => {},
    signal,
  );
  return done.then(
    ({ come, check }) => ({ come, verdict: check.verdict, said }),
    error => ({ code: error.code, message: error.message, said }),
  );
};

test.each<[verdicts: (Verdict | null)[], come: string, verdict: Verdict]>([
  [['off', 'booting', 'starting', 'up'], 'up', 'up'],
  [[null, 'unknown', 'degraded'], 'up', 'degraded'],
  [['booting', 'loader', 'booting', 'up'], 'up', 'up'],
  [['booting', 'installer'], 'installer', 'installer'],
  [['booting', 'recoverable'], 'installer', 'recoverable'],
  [['updating', 'updating', 'up'], 'up', 'up'],
  [['booting', 'off', 'off', 'booting', 'unreachable', 'up'], 'up', 'up'],
])('%j: %s', async (verdicts, come, verdict) => {
  expect(await wait(verdicts)).toMatchObject({ come, verdict });
});

test.each<[verdicts: (Verdict | null)[], grace: number]>([
  [['booting', 'off'], 1_000],
  [['crashed'], 1_000],
  [['booting', 'unreachable'], 1_000],
  [['loader'], 1_000],
  [['booting'], 10],
  [[null], 10],
])('%j for good has not come up', async (verdicts, grace) => {
  expect(await wait(verdicts, grace)).toMatchObject({ code: 'dsm_not_up' });
});

test('each verdict is told once', async () => {
  const { said } = await wait(['booting', 'booting', 'starting', 'up']);
  expect(said.map(words => words.split(':')[0])).toEqual(['booting', 'starting', 'up']);
});

test('is given up when it is no longer wanted', async () => {
  const end = new AbortController();
  const waiting = awaitDsm(
    { guest: guest(['booting']), times },
    () => end.abort(new Error('enough')),
    () => {},
    end.signal,
  );
  await expect(waiting).rejects.toThrow();
});
