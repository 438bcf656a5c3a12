/**
 * One process per folder. The lock is the operating system's own (POSIX, through SQLite, the only way from Node). It
 * ends with its process in any case, and containers that share the folder see it. A file with a pid would do neither.
 */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { makeFolder } from './replace-file.ts';

export type FolderLock = ReturnType<typeof hold>;

export interface LockRefusal {
  /** `unwritable`: that folder cannot have a lock at all. */
  readonly reason: 'held' | 'unwritable';
  /** One sentence, for people. */
  readonly message: string;
}

/** An unreferenced connection would be collected, and its lock would end. */
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
    await makeFolder(resolve(folder));
    // SQLite could make it too, but would not report why it cannot.
    await writeFile(path, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') return unwritable(folder, message);
  }
  return take(folder, path);
}

/** The same, but waits so many milliseconds for another process to release it. Rejects when the signal aborts. */
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
    // SQLite's usual locks are taken in steps, so of two processes that start together perhaps neither gets one; this
    // one is taken in one step.
    address.searchParams.set('vfs', 'unix-excl');
    database = new DatabaseSync(address, { timeout: 0 });
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    // Never committed. SQLite silently opens a read-only file, and then has no lock; this statement fails there.
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

/** To release it again changes nothing. */
function hold(database: DatabaseSync) {
  held.add(database);
  const release = () => {
    if (held.delete(database)) database.close();
  };
  return { reason: null, release, [Symbol.dispose]: release };
}

function unwritable(folder: string, why: string): LockRefusal {
  return { reason: 'unwritable', message: `${folder} cannot be locked: ${why}` };
}
