import fc from 'fast-check';
import { expect, test } from 'vitest';
import { durationPattern, formatDuration, parseDuration } from '../../src/util/duration.ts';

test.each([
  ['250ms', 250],
  ['30s', 30_000],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['0s', 0],
])('%s is %i ms', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(['', '30', 's', '5 m', '-5s', '1.5s', '1e3s', '5M', '1d', '5min', ' 5s', '5s\n', '9999999999s'])(
  '%j is no duration',
  text => {
    expect(parseDuration(text)).toBeNull();
    expect(new RegExp(durationPattern).test(text.replace(/\n$/, '!'))).toBe(false);
  },
);

test.each([
  [0, '0ms'],
  [90_000, '90s'],
  [300_000, '5m'],
  [7_200_000, '2h'],
  [1_500, '1500ms'],
])('%i ms is written %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.nat({ max: 999_999_999 }), milliseconds => {
      expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
    }),
  );
});
