import { isImageError } from './errors.ts';
import type { LoaderImage } from './image.ts';
import { parseMbr, sectorBytes } from './mbr.ts';

/**
 * Tells one disk from another. A rebuild changes files, and so does DSM; nobody makes partitions or file systems anew.
 * So the disk's signature, its partition table and the serial numbers of its FAT file systems stay. Two images that
 * were made from one download have the same: only their paths tell them apart.
 */

/** Where the disk's signature begins; the partition table follows it. */
const signatureAt = 440;

/** Null: it has no partition table, so nothing tells it from another. Rejects as reading does. */
export async function identityOf(
  image: Pick<LoaderImage, 'size' | 'read'>,
  signal: AbortSignal,
): Promise<string | null> {
  const size = await image.size();
  const first = await image.read(0, Math.min(sectorBytes, size), signal);
  try {
    const serials: string[] = [];
    for (const { offset } of parseMbr(first, size)) {
      serials.push(fatSerial(await image.read(offset, sectorBytes, signal)));
    }
    return [first.toString('hex', signatureAt), ...serials].join(' ');
  } catch (error) {
    if (isImageError(error, 'not_mbr')) return null;
    throw error;
  }
}

/** Of a FAT16 or FAT32 (Microsoft's FAT specification, `BS_VolID`); empty: it is none. */
function fatSerial(sector: Buffer): string {
  if (sector.toString('latin1', 54, 57) === 'FAT') return sector.toString('hex', 39, 43);
  if (sector.toString('latin1', 82, 85) === 'FAT') return sector.toString('hex', 67, 71);
  return '';
}
