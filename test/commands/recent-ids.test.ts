import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentIds } from '../../src/commands/recent-ids.ts';

const life = 10 * 60_000;
const most = 5_000;

test('an id is known for ten minutes, to the letter, and taken again lives again', () => {
  const ids = new RecentIds();
  ids.take('a', 5);
  expect(ids.has('a', 4 + life)).toBe(true);
  expect(ids.has('a', 5 + life)).toBe(false);
  ids.take('a', life);
  ids.take('a', life + 9);
  expect(ids.has('a', 2 * life + 8)).toBe(true);
  for (const id of ['A', 'a ', '', '__proto__', 'constructor']) expect(ids.has(id, life + 9)).toBe(false);
});

test('none is forgotten early, and there is room again when the oldest have had their time', () => {
  const ids = new RecentIds();
  for (let at = 0; at < most; at += 1) {
    expect(ids.hasRoom(at)).toBe(true);
    ids.take(`${at}`, at);
  }
  expect(ids.hasRoom(life - 1)).toBe(false);
  expect(ids.has('0', life - 1)).toBe(true);
  expect(ids.hasRoom(life)).toBe(true);
});

test('it remembers what a plain list would', () => {
  const minutes = fc.nat(4).map(count => count * 60_000);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', '__proto__'), minutes)), steps => {
      const ids = new RecentIds();
      let taken: { id: string; at: number }[] = [];
      let now = 0;
      for (const [id, wait] of steps) {
        now += wait;
        taken = taken.filter(({ at }) => now - at < life);
        expect(ids.has(id, now)).toBe(taken.some(one => one.id === id));
        ids.take(id, now);
        taken = [...taken.filter(one => one.id !== id), { id, at: now }];
      }
    }),
  );
});
