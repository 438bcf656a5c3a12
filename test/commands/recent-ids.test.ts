import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecentIds } from '../../src/commands/recent-ids.ts';

const minutes = 60_000;

describe('an id', () => {
  test('is known for ten minutes, and not at its end', () => {
    const marks = new RecentIds();
    expect(marks.has('DSM', 'a', 0)).toBe(false);
    marks.take('DSM', 'a', 5);
    expect(marks.has('DSM', 'a', 5)).toBe(true);
    expect(marks.has('DSM', 'a', 5 + 10 * minutes - 1)).toBe(true);
    expect(marks.has('DSM', 'a', 5 + 10 * minutes)).toBe(false);
  });

  test('is one VM’s, and compared to the letter', () => {
    const marks = new RecentIds();
    marks.take('DSM', 'a', 0);
    for (const [key, id] of [
      ['other', 'a'],
      ['DSM', 'A'],
      ['DSM', 'a '],
      ['DSM', ''],
      ['DSMa', ''],
    ] as const) {
      expect(marks.has(key, id, 0)).toBe(false);
    }
  });

  test.each(['__proto__', 'constructor', 'toString', '/', 'DSM/a'])('may be %j', id => {
    const marks = new RecentIds();
    expect(marks.has('DSM', id, 0)).toBe(false);
    marks.take('DSM', id, 0);
    expect(marks.has('DSM', id, 0)).toBe(true);
  });

  test('taken again lives again', () => {
    const marks = new RecentIds();
    marks.take('DSM', 'a', 0);
    marks.take('DSM', 'a', 9 * minutes);
    expect(marks.has('DSM', 'a', 15 * minutes)).toBe(true);
  });
});

describe('when a VM has as many as are remembered', () => {
  test('none is forgotten early, and there is room again when the oldest have had their time', () => {
    const marks = new RecentIds({ life: 10, most: 3 });
    for (const [at, id] of ['a', 'b', 'c'].entries()) {
      expect(marks.hasRoom('DSM', at)).toBe(true);
      marks.take('DSM', id, at);
    }
    expect(marks.hasRoom('DSM', 9)).toBe(false);
    expect(['a', 'b', 'c'].map(id => marks.has('DSM', id, 9))).toEqual([true, true, true]);
    expect(marks.hasRoom('DSM', 10)).toBe(true);
  });

  test('another VM has room, and forgets none', () => {
    const marks = new RecentIds({ most: 3 });
    marks.take('NAS', 'ups-1', 0);
    for (let n = 0; n < 2_000; n += 1) if (marks.hasRoom('DSM', n)) marks.take('DSM', `${n}`, n);
    expect(marks.hasRoom('NAS', 2_000)).toBe(true);
    expect(marks.has('NAS', 'ups-1', 2_000)).toBe(true);
  });
});

test('it remembers what a plain list would', () => {
  const story = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.nat(4)));
  fc.assert(
    fc.property(story, steps => {
      const marks = new RecentIds({ life: 6, most: 3 });
      let taken: { id: string; at: number }[] = [];
      let now = 0;
      for (const [id, wait] of steps) {
        now += wait;
        taken = taken.filter(({ at }) => now - at < 6);
        expect(marks.has('DSM', id, now)).toBe(taken.some(one => one.id === id));
        expect(marks.hasRoom('DSM', now)).toBe(taken.length < 3);
        marks.take('DSM', id, now);
        taken = [...taken.filter(one => one.id !== id), { id, at: now }];
      }
    }),
  );
});
