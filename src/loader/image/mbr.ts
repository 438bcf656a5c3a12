import { ImageError } from './errors.ts';

/** The partition table of a PC's disk: four places in its first sector. Pure. */

export const sectorBytes = 512;

export interface Partition {
  /** From 1. */
  readonly number: number;
  readonly type: number;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
}

const tableAt = 446;
const entryBytes = 16;
const typeGpt = 0xee;

/** The partitions that are there. Throws `not_mbr`, with a reason, when `sector` is no table of a disk of `size` bytes. */
export function parseMbr(sector: Buffer, size: number): Partition[] {
  if (sector.length < sectorBytes) throw notMbr(`has only ${sector.length} bytes`);
  if (sector.toString('latin1', 0, 4) === 'QFI\xfb') throw notMbr('is of the format qcow2; a loader image must be raw');
  if (sector.readUInt16LE(510) !== 0xaa55) throw notMbr('has no partition table');
  const partitions: Partition[] = [];
  for (let number = 1; number <= 4; number++) {
    const at = tableAt + (number - 1) * entryBytes;
    const type = sector.readUInt8(at + 4);
    if (![0, 0x80].includes(sector.readUInt8(at)))
      throw notMbr('has something else where its partition table should be');
    if (type === 0) continue;
    if (type === typeGpt) throw notMbr('has a GPT partition table; loader images have an MBR');
    const offset = sector.readUInt32LE(at + 8) * sectorBytes;
    const length = sector.readUInt32LE(at + 12) * sectorBytes;
    if (offset === 0 || length === 0 || offset + length > size)
      throw notMbr(`says that partition ${number} lies outside of it`);
    partitions.push({ number, type, offset, length });
  }
  return partitions;
}

function notMbr(why: string): ImageError {
  return new ImageError('not_mbr', `the loader image ${why}`);
}
