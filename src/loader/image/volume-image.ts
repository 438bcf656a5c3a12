import type { CallOptions } from '../../libvirt/calls.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { ConnectionLost, errorCode, isLibvirtError, LimitError, TimeoutError } from '../../libvirt/errors.ts';
import type { Storage } from '../../libvirt/storage.ts';
import type { PoolRef, VolumeRef } from '../../libvirt/structs.ts';
import { ImageError, type ImageErrorCode } from './errors.ts';
import { type FoundVolume, findVolume } from './find-volume.ts';
import { type LoaderImage, mustBeIn, pieces } from './image.ts';

export interface VolumeImageOptions {
  /** Its path on libvirt's machine, as the domain's XML has it. */
  path: string;
  /** Make a pool of its folder, for as long as the image is open, when no pool has it. */
  transientPool: boolean;
  signal: AbortSignal;
  /** Milliseconds for each call; default 30 s. */
  timeout?: number;
}

/**
 * A loader image on libvirt's machine, by libvirt's storage volumes: a file of a pool, read and written in ranges. The
 * daemon syncs nothing and may lose an error of its last writes, so that only reading again proves a write.
 */
export class VolumeImage implements LoaderImage {
  readonly path: string;
  readonly #storage: Storage;
  readonly #volume: VolumeRef;
  readonly #size: number;
  readonly #ownPool: PoolRef | null;
  readonly #timeout: number;
  #closed = false;

  private constructor(
    storage: Storage,
    { path, timeout = 30_000 }: VolumeImageOptions,
    found: FoundVolume & { size: number },
  ) {
    this.path = path;
    this.#storage = storage;
    this.#timeout = timeout;
    this.#volume = found.volume;
    this.#ownPool = found.ownPool;
    this.#size = found.size;
  }

  /** The client stays its caller's, and open. Rejects with `no_storage_driver`, `no_pool` or `not_found`. */
  static async open({ storage }: Libvirt, options: VolumeImageOptions): Promise<VolumeImage> {
    const { path, signal, timeout = 30_000 } = options;
    return translated(path, 'unreadable', async () => {
      const calls = { signal, timeout };
      const { volume, ownPool } = await findVolume(storage, options, calls);
      try {
        const size = await storage.volumeSize(volume, calls);
        return new VolumeImage(storage, options, { volume, ownPool, size });
      } catch (error) {
        if (ownPool) await storage.destroyPool(ownPool).catch(() => {});
        throw error;
      }
    });
  }

  size(): Promise<number> {
    return this.#asked(calls => this.#storage.volumeSize(this.#volume, calls));
  }

  async allocated(): Promise<number> {
    const allocation = await this.#asked(calls => this.#storage.volumeAllocation(this.#volume, calls));
    return Math.min(await this.size(), allocation);
  }

  async read(offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    mustBeIn(this.path, this.#size, offset, length);
    const bytes = await translated(this.path, 'unreadable', () =>
      this.#storage.download(this.#volume, { offset, length }, { signal, timeout: this.#timeout }),
    );
    // Zeros may be what libvirt makes of nothing.
    const short = bytes.length < length || (bytes.at(-1) === 0 && (await this.size()) < offset + length);
    if (short) throw new ImageError('short_read', `${this.path} has become shorter than its ${this.#size} bytes`);
    return bytes;
  }

  stream(signal: AbortSignal): AsyncIterable<Buffer> {
    return pieces(this, signal);
  }

  async write(offset: number, bytes: Buffer, signal: AbortSignal): Promise<void> {
    // libvirt would let it grow.
    mustBeIn(this.path, this.#size, offset, bytes.length);
    await translated(this.path, 'unwritable', () =>
      this.#storage.upload(this.#volume, { offset, length: bytes.length }, [bytes], {
        signal,
        timeout: this.#timeout,
      }),
    );
  }

  /**
   * A pool of its own goes; the file stays as it is. Never rejects: without its connection the pool is left behind, until
   * the next one that opens the image closes it.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#ownPool) await this.#storage.destroyPool(this.#ownPool, { timeout: this.#timeout }).catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #asked(ask: (calls: CallOptions) => Promise<number>): Promise<number> {
    return translated(this.path, 'unreadable', () => ask({ timeout: this.#timeout }));
  }
}

/** Everything as `ImageError`, but for the signal's own reason. */
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
    if (broken && error.sent && otherwise === 'unwritable') {
      throw new ImageError('outcome_unknown', `${path}: ${error.message}`, { cause: error });
    }
    if (broken || isLibvirtError(error)) {
      throw new ImageError(otherwise, `${path}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
