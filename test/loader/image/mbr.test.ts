import { expect, test } from 'vitest';
import { parseMbr } from '../../../src/loader/image/mbr.ts';
import { runs } from '../../../src/loader/image/runs.ts';
import { mbr } from './disk.ts';

const size = 1_073_741_824;
const layout = [
  [2_048, 98_304],
  [100_352, 153_600],
  [253_952, 1_843_200],
] as const;

test('the three partitions of a loader', () => {
  expect(parseMbr(mbr(layout), size)).toEqual([
    { number: 1, type: 0x83, offset: 1_048_576, length: 48 * 1024 ** 2 },
    { number: 2, type: 0x83, offset: 51_380_224, length: 75 * 1024 ** 2 },
    { number: 3, type: 0x83, offset: 130_023_424, length: 900 * 1024 ** 2 },
  ]);
});

test('places that are empty are none', () => {
  const sector = mbr(layout);
  sector.fill(0, 446, 462);
  expect(parseMbr(sector, size).map(({ number }) => number)).toEqual([2, 3]);
});

const changed = (at: number, value: number) => {
  const sector = mbr(layout);
  sector[at] = value;
  return sector;
};

test.each([
  ['too short', mbr(layout).subarray(0, 511), size, /511 bytes/],
  ['no signature', changed(511, 0), size, /no partition table/],
  ['a boot sector of a file system', changed(446, 0x33), size, /something else/],
  ['GPT', changed(450, 0xee), size, /GPT/],
  ['qcow2', Buffer.from('QFI\xfb'.padEnd(512, '\0'), 'latin1'), size, /qcow2/],
  ['a disk that is too small', mbr(layout), size - 1, /partition 3 lies outside/],
  ['a partition of nothing', changed(458, 0).fill(0, 458, 462), size, /partition 1/],
])('refused: %s', (_, sector, bytes, why) => {
  expect(() => parseMbr(sector, bytes)).toThrow(
    expect.objectContaining({ code: 'not_mbr', message: expect.stringMatching(why) }),
  );
});

test.each([
  [0, [], []],
  [10, [0, 1, 2], [{ start: 0, end: 10 }]],
  [
    10,
    [0, 2],
    [
      { start: 0, end: 4 },
      { start: 8, end: 10 },
    ],
  ],
  [8, [1], [{ start: 4, end: 8 }]],
])('of %i bytes in blocks of 4, those of %j are runs', (length, blocks, expected) => {
  expect(runs(length, 4, start => (blocks as number[]).includes(start / 4))).toEqual(expected);
});
