import { expect, test } from 'vitest';
import { ReconnectDelay } from '../../src/mqtt/reconnect-delay.ts';

const random = () => 1;
const slowest = () => new ReconnectDelay({ lost: { random }, refused: { random }, takenOver: { random } });

test.each([
  ['unreachable', [100, 200, 400, 800, 1_600, 2_000, 2_000]],
  ['closed', [100, 200, 400, 800, 1_600, 2_000, 2_000]],
  ['credentials', [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]],
  ['taken_over', [30_000, 30_000]],
] as const)('%s', (code, expected) => {
  const pace = slowest();
  expect(expected.map(() => pace.after(code))).toEqual(expected);
  pace.reset();
  expect(pace.after(code)).toBe(expected[0]);
});

test('waits at least half of it', () => {
  expect(new ReconnectDelay({ takenOver: { random: () => 0 } }).after('taken_over')).toBe(15_000);
});
