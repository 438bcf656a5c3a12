import { ImageError, type LoaderImage, pieceBytes, piecesOf } from './image.ts';
import { fatPartition, noFat } from './mbr.ts';

/**
 * A file in the root folder of a partition, read straight from the image: a third partition has 900 MiB, and this reads
 * little more than the file. FAT16 and FAT32 (Microsoft's FAT specification, 1.03); it finds the type as Linux does.
 */

const entryBytes = 32;
/** Bits of an entry: a volume's name, or a folder. A long name has all four below. */
const noFile = 0x18;
/** A larger table is no loader's. */
const maxTableBytes = 16 * pieceBytes;
/** Clusters; a file system with fewer is FAT12, and no third partition is that. */
const leastFat16 = 4_085;

/** `name`: 8.3, in capitals. In pieces, in order. Rejects with `not_mbr`, `no_fat`, `not_found`, or as reading does. */
export async function* rootFile(
  image: LoaderImage,
  number: number,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const { offset, length, boot } = await fatPartition(image, number, signal);
  const read = async (at: number, bytes: number) => {
    if (at + bytes > length) throw noFat(number);
    const pieces = [];
    for (const piece of piecesOf(bytes)) pieces.push(await image.read(offset + at + piece.at, piece.length, signal));
    return Buffer.concat(pieces);
  };
  const { wide, table, root, data, cluster } = layout(boot);
  const few = !wide && (length - data) / cluster < leastFat16;
  if (cluster === 0 || few || table.bytes > maxTableBytes) throw noFat(number);
  const links = await read(table.at, table.bytes);
  /** Where the bytes of the clusters from this one on are; runs of clusters are joined, up to a piece. */
  function* chain(first: number): Generator<{ at: number; bytes: number }> {
    const next = (from: number) => (wide ? links.readUInt32LE(from * 4) & 0x0fff_ffff : links.readUInt16LE(from * 2));
    const count = links.length / (wide ? 4 : 2);
    let run = { at: 0, bytes: 0 };
    for (let each = first, steps = 0; each >= 2 && each < count && steps < count; each = next(each), steps++) {
      const at = data + (each - 2) * cluster;
      if (at === run.at + run.bytes && run.bytes + cluster <= pieceBytes) run.bytes += cluster;
      else {
        if (run.bytes > 0) yield run;
        run = { at, bytes: cluster };
      }
    }
    if (run.bytes > 0) yield run;
  }
  let entry: ReturnType<typeof find> = null;
  for (const { at, bytes } of wide ? chain(boot.readUInt32LE(44)) : [{ at: root, bytes: data - root }]) {
    entry ??= find(await read(at, bytes), name);
    if (entry) break;
  }
  if (entry === null) throw new ImageError('not_found', `partition ${number} of the loader image has no file ${name}`);
  let left = entry.size;
  for (const { at, bytes } of chain(entry.cluster)) {
    if (left === 0) return;
    const piece = (await read(at, bytes)).subarray(0, left);
    left -= piece.length;
    yield piece;
  }
  if (left > 0) throw new ImageError('short_read', `${name} on partition ${number} of the loader image is not whole`);
}

function layout(boot: Buffer) {
  const sector = boot.readUInt16LE(11);
  const wide = boot.readUInt16LE(22) === 0;
  const at = boot.readUInt16LE(14) * sector;
  const bytes = (wide ? boot.readUInt32LE(36) : boot.readUInt16LE(22)) * sector;
  const root = at + boot.readUInt8(16) * bytes;
  const data = root + boot.readUInt16LE(17) * entryBytes;
  return { wide, table: { at, bytes }, root, data, cluster: boot.readUInt8(13) * sector };
}

function find(folder: Buffer, name: string): { cluster: number; size: number } | null {
  const [base = '', extension = ''] = name.split('.');
  const wanted = base.padEnd(8) + extension.padEnd(3);
  for (let at = 0; at + entryBytes <= folder.length && folder[at] !== 0; at += entryBytes) {
    if (folder.toString('latin1', at, at + 11) !== wanted || (folder.readUInt8(at + 11) & noFile) !== 0) continue;
    const cluster = folder.readUInt16LE(at + 20) * 0x1_0000 + folder.readUInt16LE(at + 26);
    return { cluster, size: folder.readUInt32LE(at + 28) };
  }
  return null;
}
