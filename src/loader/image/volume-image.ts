import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import type { CallOptions } from '../../libvirt/calls.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import {
  ConnectionLost,
  errorCode,
  isLibvirtError,
  LimitError,
  TimeoutError,
  unlessRefused,
} from '../../libvirt/errors.ts';
import type { Storage } from '../../libvirt/storage.ts';
import type { PoolRef, VolumeRef } from '../../libvirt/structs.ts';
import { escaped } from '../../vm/xml.ts';
import { ImageError, type ImageErrorCode, type LoaderImage, mustBeIn } from './image.ts';

export interface VolumeImageOptions {
  /** Its path on libvirt's machine, as the domain's XML has it. */
  path: string;
  /** If no pool has its folder: makes one, for as long as the image is open. */
  transientPool: boolean;
  signal: AbortSignal;
  timeout?: number;
}

/**
 * A loader image on libvirt's machine, as a libvirt storage volume: a file of a pool, read and written in ranges. The
 * daemon does not sync, and may lose an error of its last writes, so only reading again proves a write.
 *
 * The caller keeps its client, which stays open. Rejects with `no_storage_driver`, `no_pool` or `not_found`. Disposing
 * of the image removes a pool that it made, and not the file. If the connection is lost, that pool stays until this
 * image is opened again.
 */
export async function openVolume({ storage }: Libvirt, options: VolumeImageOptions): Promise<LoaderImage> {
  const { path, signal, timeout = 30_000 } = options;
  await using pools = new AsyncDisposableStack();
  const own = (pool: PoolRef) => pools.defer(() => storage.destroyPool(pool, { timeout }).catch(() => {}));
  const calls = { signal, timeout };
  const { volume, size } = await translated(path, 'unreadable', async () => {
    const found = await findVolume(storage, options, calls, own);
    return { volume: found, size: await storage.volumeSize(found, calls) };
  });
  return volumeImage(storage, volume, { path, size, timeout }, pools.move());
}

function volumeImage(
  storage: Storage,
  volume: VolumeRef,
  { path, size: known, timeout }: { path: string; size: number; timeout: number },
  pools: AsyncDisposableStack,
): LoaderImage {
  const size = () => translated(path, 'unreadable', () => storage.volumeSize(volume, { timeout }));
  return {
    path,
    size,
    allocated: async () => {
      const ask = () => storage.volumeAllocation(volume, { timeout });
      return Math.min(await size(), await translated(path, 'unreadable', ask));
    },
    read: async (offset, length, signal) => {
      mustBeIn(path, known, offset, length);
      const download = () => storage.download(volume, { offset, length }, { signal, timeout });
      const bytes = await translated(path, 'unreadable', download);
      // Zeros may be libvirt's answer for missing bytes.
      const short = bytes.length < length || (bytes.at(-1) === 0 && (await size()) < offset + length);
      if (short) throw new ImageError('short_read', `${path} has become shorter than its ${known} bytes`);
      return bytes;
    },
    write: async (offset, bytes, signal) => {
      // libvirt would let it grow.
      mustBeIn(path, known, offset, bytes.length);
      const range = { offset, length: bytes.length };
      await translated(path, 'unwritable', () => storage.upload(volume, range, [bytes], { signal, timeout }));
    },
    [Symbol.asyncDispose]: () => pools.disposeAsync(),
  };
}

const prefix = 'dsm2mqtt-';
const ownName = new RegExp(`^${prefix}[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`);

/** `own` gets the pool to destroy at the end: made here, or left behind by an earlier bridge. */
async function findVolume(
  storage: Storage,
  { path, transientPool }: VolumeImageOptions,
  calls: CallOptions,
  own: (pool: PoolRef) => void,
): Promise<VolumeRef> {
  const look = () => unlessRefused(storage.volumeByPath(path, calls), null, errorCode.noStorageVolume);
  const seen = await look();
  if (seen) {
    if (ownName.test(seen.pool)) own(await storage.poolByName(seen.pool, calls));
    return seen;
  }
  const target = dirname(path);
  const there = await unlessRefused(storage.poolByTarget(target, calls), null, errorCode.noStoragePool);
  if (!there && !transientPool) {
    throw new ImageError(
      'no_pool',
      `no active libvirt storage pool has ${path}: make one of ${target}, or allow a transient one (transient_pool)`,
    );
  }
  const pool = there ?? (await createPool(storage, target, calls));
  if (ownName.test(pool.name)) own(pool);
  // An existing pool may not have seen the file yet.
  if (there) await storage.refreshPool(there, calls);
  const volume = await look();
  if (!volume) throw new ImageError('not_found', `libvirt finds no volume ${path}`);
  return volume;
}

async function createPool(storage: Storage, target: string, calls: CallOptions): Promise<PoolRef> {
  const xml = `<pool type='dir'><name>${prefix}${randomUUID()}</name><target><path>${escaped(target)}</path></target></pool>`;
  try {
    return await storage.createPool(xml, calls);
  } catch (error) {
    // A pool that is defined but inactive has the same folder.
    if (!isLibvirtError(error, errorCode.operationFailed)) throw error;
    throw new ImageError('no_pool', `libvirt makes no pool of ${target}: ${error.message}`, { cause: error });
  }
}

/** Turns every error into `ImageError`, except the signal's own reason. */
async function translated<T>(path: string, otherwise: ImageErrorCode, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (isLibvirtError(error, errorCode.noSupport)) {
      const advice = 'this libvirt has no storage driver; install libvirt-daemon-driver-storage, or mount the image';
      throw new ImageError('no_storage_driver', `${path}: ${advice}`, { cause: error });
    }
    if (isLibvirtError(error, errorCode.noStorageVolume, errorCode.noStoragePool)) {
      throw new ImageError('not_found', `libvirt finds no volume ${path} any more`, { cause: error });
    }
    if (error instanceof LimitError) {
      throw new ImageError('unreadable', `${path}: libvirt sent ${error.message}`, { cause: error });
    }
    const broken = error instanceof ConnectionLost || error instanceof TimeoutError;
    if (!broken && !isLibvirtError(error)) throw error;
    const unknown = broken && error.sent && otherwise === 'unwritable';
    throw new ImageError(unknown ? 'outcome_unknown' : otherwise, `${path}: ${error.message}`, { cause: error });
  }
}
