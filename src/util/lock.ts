/**
 * One process per folder. The lock is the operating system's own (POSIX, through SQLite, which is the only way that
 * Node has to it): it ends with its process however that ends, and containers that share the folder see it. A file
 * with a pid would do neither.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

export interface FolderLock extends Disposable {
  readonly reason: null;
  /** Idempotent. */
  release(): void;
}

export interface LockRefusal {
  /** `unwritable`: that folder cannot have a lock at all. */
  readonly reason: 'held' | 'unwritable';
  /** One sentence, for people. */
  readonly message: string;
}

/** Forgotten by its owner, a connection would be collected, and its lock with it. */
const held = new Set<DatabaseSync>();

/** SQLite's result codes, https://sqlite.org/rescode.html; the low byte is the kind. */
const BUSY = 5;
const WORDS: Readonly<Record<number, string>> = {
  8: 'it is read-only',
  10: 'its file system knows no locks, or fails',
  14: 'its file cannot be opened',
  26: 'its file is not empty; remove it',
};

/** Makes the folder if need be, for its owner alone, and an empty file `lock` that stays. Does not wait; never throws. */
export async function lockFolder(folder: string): Promise<FolderLock | LockRefusal> {
  const path = join(resolve(folder), 'lock');
  try {
    await mkdir(resolve(folder), { recursive: true, mode: 0o700 });
    // SQLite could make it too, but would not say why it cannot.
    await writeFile(path, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' || syscall === 'mkdir') return unwritable(folder, message);
  }
  return take(folder, path);
}

/** The same, and waits so many milliseconds for another process to leave it. Rejects when the signal is raised. */
export async function lockWithin(
  folder: string,
  patience: number,
  signal: AbortSignal | undefined,
): ReturnType<typeof lockFolder> {
  const deadline = performance.now() + patience;
  for (;;) {
    const lock = await lockFolder(folder);
    if (lock.reason !== 'held' || performance.now() >= deadline) return lock;
    await delay(250, undefined, signal && { signal });
  }
}

function take(folder: string, path: string): FolderLock | LockRefusal {
  let database: DatabaseSync | undefined;
  try {
    const address = pathToFileURL(path);
    // SQLite's usual locks are taken in steps, and of two that start together neither may get through; this one is not.
    address.searchParams.set('vfs', 'unix-excl');
    database = new DatabaseSync(address, { timeout: 0 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    // Never committed: a file that cannot be written is opened without a word and gives no lock; this it refuses.
    database.exec('PRAGMA user_version = 1');
    return hold(database);
  } catch (error) {
    database?.close();
    const { errcode, message } = error as Error & { errcode?: number };
    const code = (errcode ?? 0) & 0xff;
    if (code === BUSY) return { reason: 'held', message: `another process uses ${folder}` };
    return unwritable(folder, `${path}: ${WORDS[code] ?? message}`);
  }
}

function hold(database: DatabaseSync): FolderLock {
  held.add(database);
  const release = () => {
    if (held.delete(database)) database.close();
  };
  return { reason: null, release, [Symbol.dispose]: release };
}

function unwritable(folder: string, why: string): LockRefusal {
  return { reason: 'unwritable', message: `${folder} cannot be locked: ${why}` };
}
