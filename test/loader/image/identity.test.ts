/** A disk is told from another by what no rebuild changes, and by nothing else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { identityOf } from '../../../src/loader/image/identity.ts';
import { format } from '../../fakes/box/format.ts';
import { mbr } from './disk.ts';

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
function changed(at: number, by: number): Buffer {
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
      expect(await identity(changed(at, more))).toBe(await identity(disk));
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
      expect(await identity(changed(at, more))).not.toBe(await identity(disk));
    }),
    { numRuns: 50 },
  );
});

test('a disk without a partition table has none', async () => {
  expect(await identity(Buffer.alloc(disk.length))).toBeNull();
});
