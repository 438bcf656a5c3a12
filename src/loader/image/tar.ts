/**
 * Files out of a tar archive that comes as a stream. Nothing but them is kept in memory. Their names are short: the
 * entries in which GNU and POSIX tar keep long ones are passed over.
 */

const blockBytes = 512;

/**
 * The contents of files, by the key that `keyOf` gives for a path (without `./` or `/` in front); null: not wanted. It
 * stops where `enough` says so. Rejects with a reason when it is no whole archive, or as the stream does. A wanted file of more than `maxBytes` is
 * an error.
 */
export async function readTar(
  stream: AsyncIterable<Buffer>,
  keyOf: (path: string) => string | null,
  enough: (found: ReadonlyMap<string, Buffer>) => boolean,
  maxBytes: number,
): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const cursor = new Cursor(stream);
  while (!enough(found)) {
    const header = await cursor.take(blockBytes);
    // Two blocks of zeros are its end.
    if (header.every(byte => byte === 0)) break;
    const { path, size, file } = parseHeader(header);
    const key = file ? keyOf(path) : null;
    if (key !== null) {
      if (size > maxBytes) throw new Error(`${path} has ${size} bytes`);
      found.set(key, await cursor.take(size));
    } else await cursor.skip(size);
    await cursor.skip(-size & (blockBytes - 1));
  }
  return found;
}

function parseHeader(header: Buffer): { path: string; size: number; file: boolean } {
  const text = (at: number, length: number) => header.toString('utf8', at, at + length).split('\0')[0] ?? '';
  const size = Number.parseInt(text(124, 12), 8);
  if (text(257, 5) !== 'ustar' || !Number.isSafeInteger(size) || size < 0) throw new Error('it is no tar archive');
  // What GNU tar writes has something else at the prefix's place.
  const prefix = text(257, 6) === 'ustar' ? text(345, 155) : '';
  const path = (prefix === '' ? '' : `${prefix}/`) + text(0, 100);
  return { path: path.replace(/^\.?\/+/, ''), size, file: ['', '0'].includes(text(156, 1)) };
}

class Cursor {
  readonly #pieces: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    await this.#pass(length, part => parts.push(part));
    return Buffer.concat(parts);
  }

  skip(length: number): Promise<void> {
    return this.#pass(length, () => {});
  }

  async #pass(length: number, use: (part: Buffer) => void): Promise<void> {
    for (let left = length; left > 0; ) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#pieces.next();
        if (done) throw new Error('it ends too early');
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      use(part);
    }
  }
}
