import { ImageError, isImageError, type LoaderImage } from './image.ts';

/** The partition table of a PC's disk (four places in its first sector), and the first sectors of its partitions. */

export const sectorBytes = 512;

type Partition = ReturnType<typeof parseMbr>[number];

/** Where the disk's signature begins; the partition table follows it. */
const signatureAt = 440;
const tableAt = 446;
const entryBytes = 16;
const typeGpt = 0xee;

/** The existing partitions. Throws `not_mbr`, with a reason, when `sector` is no table of a disk of `size` bytes. */
export function parseMbr(sector: Buffer, size: number) {
  if (sector.length < sectorBytes) throw notMbr(`has only ${sector.length} bytes`);
  if (sector.toString('latin1', 0, 4) === 'QFI\xfb') throw notMbr('is of the format qcow2; a loader image must be raw');
  if (sector.readUInt16LE(510) !== 0xaa55) throw notMbr('has no partition table');
  return [1, 2, 3, 4].flatMap(number => {
    const at = tableAt + (number - 1) * entryBytes;
    const type = sector.readUInt8(at + 4);
    if (![0, 0x80].includes(sector.readUInt8(at)))
      throw notMbr('has something else where its partition table should be');
    if (type === 0) return [];
    if (type === typeGpt) throw notMbr('has a GPT partition table; loader images have an MBR');
    const offset = sector.readUInt32LE(at + 8) * sectorBytes;
    const length = sector.readUInt32LE(at + 12) * sectorBytes;
    if (offset === 0 || length === 0 || offset + length > size)
      throw notMbr(`says that partition ${number} lies outside of it`);
    return { number, type, offset, length };
  });
}

type Readable = Pick<LoaderImage, 'size' | 'read'>;

async function readMbr(image: Readable, signal: AbortSignal) {
  const size = await image.size();
  const sector = await image.read(0, Math.min(sectorBytes, size), signal);
  return { sector, partitions: parseMbr(sector, size) };
}

/**
 * Identifies a disk. A rebuild changes files, and so does DSM, but neither makes new partitions or file systems. So the
 * disk's signature, its partition table and the serial numbers of its FAT file systems stay the same. Two images that
 * were made from one download have the same identity: only their paths differ.
 *
 * Null: it has no partition table, so it cannot be identified. Rejects as reading does.
 */
export async function identityOf(image: Readable, signal: AbortSignal): Promise<string | null> {
  try {
    const { sector, partitions } = await readMbr(image, signal);
    const serials: string[] = [];
    for (const { offset } of partitions) {
      const boot = await image.read(offset, sectorBytes, signal);
      const label = fatLabelAt(boot);
      // `BS_VolID`.
      serials.push(label === null ? '' : boot.toString('hex', label - 15, label - 11));
    }
    return [sector.toString('hex', signatureAt), ...serials].join(' ');
  } catch (error) {
    if (isImageError(error, 'not_mbr')) return null;
    throw error;
  }
}

/** A partition with a FAT file system, and its boot sector. Rejects with `not_mbr`, `no_fat`, or as reading does. */
export async function fatPartition(
  image: Readable,
  number: number,
  signal: AbortSignal,
): Promise<Partition & { boot: Buffer }> {
  const { partitions } = await readMbr(image, signal);
  const partition = partitions.find(each => each.number === number);
  if (!partition) throw notMbr(`has no partition ${number}`);
  const boot = await image.read(partition.offset, sectorBytes, signal);
  if (fatLabelAt(boot) === null || boot.readUInt16LE(510) !== 0xaa55) throw noFat(number);
  return { ...partition, boot };
}

/** Where a boot sector says FAT12 or FAT16, or FAT32 (Microsoft's FAT specification, 1.03); null: it does not. */
function fatLabelAt(boot: Buffer): number | null {
  return [54, 82].find(at => boot.toString('latin1', at, at + 3) === 'FAT') ?? null;
}

export function noFat(number: number): ImageError {
  return new ImageError('no_fat', `partition ${number} of the loader image has no FAT file system`);
}

function notMbr(why: string): ImageError {
  return new ImageError('not_mbr', `the loader image ${why}`);
}
