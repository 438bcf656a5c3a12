const sector = 512;
const rootEntries = 512;

/**
 * An empty FAT16 file system of this many sectors. A cluster has one, so it takes 4200 to 65000 of them; `hidden` is how
 * many there are before it on its disk.
 */
export function format(sectors: number, hidden = 0): Buffer {
  const table = Math.ceil((sectors * 2) / sector);
  const bytes = Buffer.alloc(sectors * sector);
  bytes.set([0xeb, 0x3c, 0x90]);
  bytes.write('MSDOS5.0', 3, 'latin1');
  bytes.writeUInt16LE(sector, 11);
  bytes.writeUInt8(1, 13);
  bytes.writeUInt16LE(1, 14);
  bytes.writeUInt8(2, 16);
  bytes.writeUInt16LE(rootEntries, 17);
  bytes.writeUInt16LE(sectors, 19);
  bytes.writeUInt8(0xf8, 21);
  bytes.writeUInt16LE(table, 22);
  bytes.writeUInt16LE(63, 24);
  bytes.writeUInt16LE(16, 26);
  bytes.writeUInt32LE(hidden, 28);
  bytes.writeUInt8(0x80, 36);
  bytes.writeUInt8(0x29, 38);
  bytes.writeUInt32LE(0x6234_c863, 39);
  bytes.write('TCRP       FAT16   ', 43, 'latin1');
  bytes.writeUInt16LE(0xaa55, 510);
  for (const copy of [1, 1 + table]) bytes.writeUInt32LE(0xffff_fff8, copy * sector);
  return bytes;
}
