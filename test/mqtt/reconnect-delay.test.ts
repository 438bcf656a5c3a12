import { expect, test } from 'vitest';
import { reconnectDelays } from '../../src/mqtt/reconnect-delay.ts';

test.each([
  ['unreachable', [100, 200, 400, 800, 1_600, 2_000, 2_000]],
  ['closed', [100, 200, 400, 800, 1_600, 2_000, 2_000]],
  ['credentials', [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]],
  ['taken_over', [30_000, 30_000]],
  ['too_large', [30_000, 30_000]],
] as const)('%s', (code, expected) => {
  const slowest = { random: () => 1 };
  const after = reconnectDelays({ lost: slowest, refused: slowest, takenOver: slowest });
  expect(expected.map(() => after([code]))).toEqual(expected);
  // At least half of it.
  expect(reconnectDelays({ takenOver: { random: () => 0 } })(['taken_over'])).toBe(15_000);
});

test('after several failures it is the longest of their pauses', () => {
  const slowest = { random: () => 1 };
  const after = reconnectDelays({ lost: slowest, refused: slowest });
  expect(after(['unreachable', 'credentials', 'closed'])).toBe(2_000);
  expect(after(['unreachable'])).toBe(200);
});
