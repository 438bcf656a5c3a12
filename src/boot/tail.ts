import { constants, open, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export interface TailOptions {
  path: string;
  /** Bytes that were there before; a file that is shorter has begun anew. */
  from: number;
  hear: (bytes: Buffer) => void;
  /** Resolves when it is aborted. */
  signal: AbortSignal;
  /** Milliseconds between two looks. */
  interval?: number;
}

/** Bytes that it falls behind at most; then it leaves some out. */
const mostBehind = 1 << 20;
const chunkBytes = 65_536;

/**
 * Follows a file to which another process appends, and the new one if it is rotated away (libvirt's virtlogd renames
 * it). Waits for a file that is not there. Rejects when it cannot be read.
 */
export async function tail({ path, from, hear, signal, interval = 100 }: TailOptions): Promise<void> {
  const chunk = Buffer.alloc(chunkBytes);
  const pause = () => delay(interval, undefined, { signal }).catch(() => {});
  let position = from;
  while (!signal.aborted) {
    // To open a pipe that nobody writes to would take for ever.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(unlessMissing);
    if (!file) {
      await pause();
      continue;
    }
    const { ino } = await file.stat();
    for (let isLast = false; !signal.aborted && !isLast; ) {
      // A file that has been renamed is read to its end.
      isLast = await stat(path).then(
        now => now.ino !== ino,
        () => false,
      );
      const { size } = await file.stat();
      position = size < position ? 0 : Math.max(position, size - mostBehind);
      while (position < size && !signal.aborted) {
        const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, size - position), position);
        if (bytesRead === 0) break;
        position += bytesRead;
        hear(Buffer.from(chunk.subarray(0, bytesRead)));
      }
      if (!isLast) await pause();
    }
    position = 0;
  }
}

function unlessMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
