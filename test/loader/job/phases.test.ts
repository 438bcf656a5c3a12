import fc from 'fast-check';
import { expect, test } from 'vitest';
import { percentAt, phases, rebuildPhases } from '../../../src/loader/job/phases.ts';
import { isUnderWay, loaderPhases } from '../../../src/model/loader.ts';

test('every phase under way has its row, in the order of the words', () => {
  expect(Object.keys(phases)).toEqual(loaderPhases.filter(phase => isUnderWay({ phase })));
});

test('percents begin at 0, end at 100, and never go back', () => {
  expect(percentAt('preflight', 0)).toBe(0);
  expect(percentAt('checking', 1)).toBe(100);
  expect([percentAt('rolling_back', 0), percentAt('rolling_back', 1)]).toEqual([0, 100]);
  const place = fc.tuple(fc.nat(rebuildPhases.length - 1), fc.double({ min: -1, max: 2, noNaN: true }));
  fc.assert(
    fc.property(place, place, (one, two) => {
      const [[first, early], [second, late]] = [one, two].sort((a, b) => a[0] - b[0] || a[1] - b[1]) as [
        typeof one,
        typeof two,
      ];
      const [from, to] = [rebuildPhases[first], rebuildPhases[second]];
      if (from && to) expect(percentAt(from, early)).toBeLessThanOrEqual(percentAt(to, late));
    }),
  );
});
