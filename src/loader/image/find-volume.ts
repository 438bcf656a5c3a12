import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import type { CallOptions } from '../../libvirt/calls.ts';
import { errorCode, isLibvirtError } from '../../libvirt/errors.ts';
import type { Storage } from '../../libvirt/storage.ts';
import type { PoolRef, VolumeRef } from '../../libvirt/structs.ts';
import { ImageError } from './errors.ts';

/** A file as a volume of some pool, or of one made for it. */

export interface FoundVolume {
  volume: VolumeRef;
  /** The pool to destroy in the end: made here, or left behind by a bridge that could not. */
  ownPool: PoolRef | null;
}

const prefix = 'dsm2mqtt-';
const ownName = new RegExp(`^${prefix}[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`);

/** Rejects with `ImageError` (`no_pool`, `not_found`) or as a call does; then nothing of its own is left. */
export async function findVolume(
  storage: Storage,
  { path, transientPool }: { path: string; transientPool: boolean },
  calls: CallOptions,
): Promise<FoundVolume> {
  const known = await orNull(storage.volumeByPath(path, calls), errorCode.noStorageVolume);
  if (known) {
    const ownPool = isOwn(known.pool) ? await storage.poolByName(known.pool, calls) : null;
    return { volume: known, ownPool };
  }
  const target = dirname(path);
  const there = await orNull(storage.poolByTarget(target, calls), errorCode.noStoragePool);
  if (!there && !transientPool) {
    throw new ImageError(
      'no_pool',
      `no active libvirt storage pool has ${path}: make one of ${target}, or allow a transient one (transient_pool)`,
    );
  }
  const pool = there ?? (await createPool(storage, target, calls));
  const ownPool = isOwn(pool.name) ? pool : null;
  try {
    // A pool that is there may not have seen the file yet.
    if (there) await storage.refreshPool(there, calls);
    const volume = await orNull(storage.volumeByPath(path, calls), errorCode.noStorageVolume);
    if (!volume) throw new ImageError('not_found', `libvirt finds no volume ${path}`);
    return { volume, ownPool };
  } catch (error) {
    if (ownPool) await storage.destroyPool(ownPool).catch(() => {});
    throw error;
  }
}

function isOwn(pool: string): boolean {
  return ownName.test(pool);
}

async function createPool(storage: Storage, target: string, calls: CallOptions): Promise<PoolRef> {
  const name = `${prefix}${randomUUID()}`;
  const xml = `<pool type='dir'><name>${name}</name><target><path>${escaped(target)}</path></target></pool>`;
  try {
    return await storage.createPool(xml, calls);
  } catch (error) {
    // One that is defined and not active has its place.
    if (!isLibvirtError(error, errorCode.operationFailed)) throw error;
    throw new ImageError('no_pool', `libvirt makes no pool of ${target}: ${error.message}`, { cause: error });
  }
}

async function orNull<T>(call: Promise<T>, code: number): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (isLibvirtError(error, code)) return null;
    throw error;
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
