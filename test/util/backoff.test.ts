import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoff } from '../../src/util/backoff.ts';

const take = (delays: Generator<number, never>, count: number) =>
  Array.from({ length: count }, () => delays.next().value);

test('doubles up to the cap, and stays there', () => {
  expect(take(backoff({ first: 100, cap: 1_000, random: () => 1 }), 7)).toEqual([
    100, 200, 400, 800, 1_000, 1_000, 1_000,
  ]);
});

test('is spread over the upper half', () => {
  expect(take(backoff({ random: () => 0 }), 6)).toEqual([50, 100, 200, 400, 800, 1_000]);
  expect(new Set(take(backoff({ first: 2_000 }), 20)).size).toBeGreaterThan(1);
});

test('never waits longer than the cap, nor not at all', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 500, max: 9_000 }), (first, cap) => {
      for (const delay of take(backoff({ first, cap }), 30)) {
        expect(delay).toBeGreaterThanOrEqual(first / 2);
        expect(delay).toBeLessThanOrEqual(cap);
      }
    }),
  );
});
