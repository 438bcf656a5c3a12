import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { attempt, ImageError, type ImageErrorCode, type LoaderImage, mustBeIn } from './image.ts';

/**
 * A loader image at a path of this machine: a file or a block device. It is open for writing only during a write, so
 * that a backup works on a read-only mount. Rejects with `not_found`, `not_an_image` or `unreadable`.
 */
export async function openFile(path: string): Promise<LoaderImage> {
  // Checked before it is opened: opening a pipe would wait for its other end.
  mustBeImage(path, await tried('unreadable', path, () => stat(path)));
  const file = await tried('unreadable', path, () => open(path, constants.O_RDONLY | constants.O_NONBLOCK));
  try {
    const facts = await file.stat();
    mustBeImage(path, facts);
    const size = facts.isBlockDevice() ? await tried('unreadable', path, () => endOf(file)) : facts.size;
    return fileImage(path, file, size);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function fileImage(path: string, file: FileHandle, known: number): LoaderImage {
  return {
    path,
    size: async () => {
      const facts = await file.stat();
      return facts.isBlockDevice() ? known : facts.size;
    },
    allocated: async () => {
      const facts = await file.stat();
      return facts.isBlockDevice() ? known : Math.min(known, facts.blocks * 512);
    },
    read: async (offset, length, signal) => {
      signal.throwIfAborted();
      mustBeIn(path, known, offset, length);
      const bytes = Buffer.allocUnsafe(length);
      for (let have = 0; have < length; ) {
        const read = () => file.read(bytes, have, length - have, offset + have);
        const { bytesRead } = await tried('unreadable', path, read);
        if (bytesRead === 0) {
          throw new ImageError('short_read', `${path} ends at ${offset + have}, before its ${known} bytes`);
        }
        have += bytesRead;
      }
      return bytes;
    },
    write: async (offset, bytes, signal) => {
      signal.throwIfAborted();
      mustBeIn(path, known, offset, bytes.length);
      // Neither O_CREAT nor O_TRUNC: a missing file is not made, and no file is cut off.
      const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_DSYNC;
      await using writable = await tried('unwritable', path, () => open(path, flags));
      const [now, then] = await Promise.all([writable.stat(), file.stat()]);
      if (now.dev !== then.dev || now.ino !== then.ino || now.size !== then.size) {
        throw new ImageError('mismatch', `${path} is another file than the one that was read`);
      }
      for (let done = 0; done < bytes.length; ) {
        // Opening it may have taken long.
        signal.throwIfAborted();
        const write = () => writable.write(bytes, done, bytes.length - done, offset + done);
        done += (await tried('unwritable', path, write)).bytesWritten;
      }
      await tried('unwritable', path, () => writable.sync());
    },
    // A second close changes nothing.
    [Symbol.asyncDispose]: () => file.close().catch(() => {}),
  };
}

/**
 * The size of a file or device. A device reports the size 0, and Node lacks the system call for the real one. Reading
 * behind the end returns nothing, so this searches for the end.
 */
export async function endOf(file: Pick<FileHandle, 'read'>): Promise<number> {
  const byte = Buffer.alloc(1);
  const has = async (at: number) => (await file.read(byte, 0, 1, at)).bytesRead === 1;
  if (!(await has(0))) return 0;
  let there = 0;
  let beyond = 1;
  while (beyond < Number.MAX_SAFE_INTEGER / 2 && (await has(beyond))) {
    there = beyond;
    beyond *= 2;
  }
  while (beyond - there > 1) {
    const middle = there + Math.floor((beyond - there) / 2);
    if (await has(middle)) there = middle;
    else beyond = middle;
  }
  return beyond;
}

function mustBeImage(path: string, facts: Stats): void {
  if (facts.isFile() || facts.isBlockDevice()) return;
  throw new ImageError('not_an_image', `${path} is neither a file nor a block device`);
}

function tried<T>(otherwise: ImageErrorCode, path: string, act: () => Promise<T>): Promise<T> {
  return attempt(path, { ENOENT: 'not_found' }, otherwise, act);
}
