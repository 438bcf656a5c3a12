import { expect, test } from 'vitest';
import { spread } from './numbers.ts';

test('median and p99 are samples that occurred', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(spread(hundred)).toEqual({ median: 50, p99: 99, count: 100 });
  expect(spread([7])).toEqual({ median: 7, p99: 7, count: 1 });
  expect(() => spread([])).toThrow(RangeError);
});
