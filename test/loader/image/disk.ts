/** The first sector of a disk with these partitions: first sector and count of each. */
export function mbr(partitions: readonly (readonly [start: number, sectors: number])[]): Buffer {
  const sector = Buffer.alloc(512);
  sector.writeUInt16LE(0xaa55, 510);
  partitions.forEach(([start, sectors], i) => {
    const at = 446 + 16 * i;
    sector.writeUInt8(0x83, at + 4);
    sector.writeUInt32LE(start, at + 8);
    sector.writeUInt32LE(sectors, at + 12);
  });
  return sector;
}
