import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { identityOf, parseMbr } from '../../../src/loader/image/mbr.ts';
import { format } from '../../fakes/box/format.ts';
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

describe('a disk is told from another by what no rebuild changes, and by nothing else', () => {
  const [sectors, start] = [4_300, 63];
  const disk = Buffer.concat([
    mbr([
      [start, sectors],
      [start + sectors, sectors],
    ]),
    Buffer.alloc((start - 1) * 512),
    format(sectors),
    format(sectors),
  ]);
  const serials = [0, 1].map(nth => (start + nth * sectors) * 512 + 39);

  function identity(bytes: Buffer): Promise<string | null> {
    const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
    return identityOf({ size: async () => bytes.length, read }, new AbortController().signal);
  }

  /** With one byte changed. */
  function withByte(at: number, by: number): Buffer {
    const bytes = Buffer.from(disk);
    bytes.writeUInt8((bytes.readUInt8(at) + by) % 256, at);
    return bytes;
  }

  const by = fc.integer({ min: 1, max: 255 });

  test('boot code, files, and all else within the file systems may change', async () => {
    const code = fc.integer({ min: 0, max: 439 });
    const files = fc.nat(disk.length - 1).filter(at => at % 512 > 90 && at > (start + 1) * 512);
    await fc.assert(
      fc.asyncProperty(fc.oneof(code, files), by, async (at, more) => {
        fc.pre(serials.every(serial => at < serial - 39 || at >= serial - 39 + 512));
        expect(await identity(withByte(at, more))).toBe(await identity(disk));
      }),
      { numRuns: 50 },
    );
  });

  test('the signature, the table and a serial number may not', async () => {
    const signature = fc.integer({ min: 440, max: 443 });
    const table = fc.integer({ min: 446, max: 509 });
    const serial = fc.constantFrom(...serials.flatMap(at => [at, at + 1, at + 2, at + 3]));
    await fc.assert(
      fc.asyncProperty(fc.oneof(signature, table, serial), by, async (at, more) => {
        expect(await identity(withByte(at, more))).not.toBe(await identity(disk));
      }),
      { numRuns: 50 },
    );
  });

  test('a disk without a partition table has none', async () => {
    expect(await identity(Buffer.alloc(disk.length))).toBeNull();
  });
});
