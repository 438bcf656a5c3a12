/** Finding the parts of a piece that matter: those that hold something, or that differ. */

export interface Run {
  readonly start: number;
  readonly end: number;
}

/** The runs of whole blocks of `size` bytes for which `matters` holds; the last block may be shorter. */
export function runs(length: number, size: number, matters: (start: number, end: number) => boolean): Run[] {
  const found: Run[] = [];
  for (let start = 0; start < length; start += size) {
    const end = Math.min(start + size, length);
    if (!matters(start, end)) continue;
    const last = found.at(-1);
    if (last?.end === start) found[found.length - 1] = { start: last.start, end };
    else found.push({ start, end });
  }
  return found;
}

/** Where there is anything but zeros. */
export function filled(bytes: Buffer, size: number): Run[] {
  const zeros = Buffer.alloc(size);
  return runs(bytes.length, size, (start, end) => bytes.compare(zeros, 0, end - start, start, end) !== 0);
}

/** Where the two, of one length, differ. */
export function different(a: Buffer, b: Buffer, size: number): Run[] {
  return runs(a.length, size, (start, end) => a.compare(b, start, end, start, end) !== 0);
}
