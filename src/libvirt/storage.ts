import type { CallOptions } from './calls.ts';
import type { Connection } from './connection.ts';
import { procedures } from './procedures.ts';
import { Collector, ReadStream } from './stream.ts';
import type { PoolRef, VolumeRef } from './structs.ts';
import { type Source, WriteStream } from './write-stream.ts';

/** A part of a volume, in bytes. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** `virStorageVolInfoFlags`: the physical size in place of the allocation. */
const physical = 1;
/** `virConnectListAllStoragePoolsFlags` */
const activePools = 2;
/** `virStorageVolDownloadFlags`: holes are announced, not sent; a gigabyte takes tenths of a second instead of 17. */
const sparse = 1;

/**
 * The storage calls of one connection. A daemon without its storage driver rejects them all with `LibvirtError` 3
 * (`errorCode.noSupport`); on a read-only connection the writes are 29.
 */
export class Storage {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** In any active pool, as of its last refresh; `LibvirtError` 50 (`errorCode.noStorageVolume`). */
  async volumeByPath(path: string, options?: CallOptions): Promise<VolumeRef> {
    return (await this.#connection.call(procedures.storageVolLookupByPath, { path }, options)).volume;
  }

  /** Makes one; `LibvirtError` 90 (`errorCode.volumeExists`) if the pool has the name: nothing is ever replaced. */
  async createVolume(pool: PoolRef, xml: string, options?: CallOptions): Promise<VolumeRef> {
    return (await this.#connection.call(procedures.storageVolCreateXml, { pool, xml, flags: 0 }, options)).volume;
  }

  /** Removes it, and what is in it. */
  deleteVolume(volume: VolumeRef, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.storageVolDelete, { volume, flags: 0 }, options);
  }

  /** The bytes that it takes up on the disk. For a raw image that is the disk's size too. */
  async volumeSize(volume: VolumeRef, options?: CallOptions): Promise<number> {
    const args = { volume, flags: physical };
    return (await this.#connection.call(procedures.storageVolGetInfoFlags, args, options)).allocation;
  }

  /** How many of these bytes are stored, and not in holes. */
  async volumeAllocation(volume: VolumeRef, options?: CallOptions): Promise<number> {
    return (await this.#connection.call(procedures.storageVolGetInfo, { volume }, options)).allocation;
  }

  /** The active ones. */
  async pools(options?: CallOptions): Promise<PoolRef[]> {
    const args = { needResults: 1, flags: activePools };
    return (await this.#connection.call(procedures.connectListAllStoragePools, args, options)).pools;
  }

  /** The active pool with this target, to the letter; `LibvirtError` 49 (`errorCode.noStoragePool`). */
  async poolByTarget(path: string, options?: CallOptions): Promise<PoolRef> {
    return (await this.#connection.call(procedures.storagePoolLookupByTargetPath, { path }, options)).pool;
  }

  /** Active or not; `LibvirtError` 49. */
  async poolByName(name: string, options?: CallOptions): Promise<PoolRef> {
    return (await this.#connection.call(procedures.storagePoolLookupByName, { name }, options)).pool;
  }

  /** Its definition, with its type and its target. */
  async poolXml(pool: PoolRef, options?: CallOptions): Promise<string> {
    return (await this.#connection.call(procedures.storagePoolGetXmlDesc, { pool, flags: 0 }, options)).xml;
  }

  /** `state` is `virStoragePoolState`, of which 2 is running. Bytes, as of its last refresh. */
  poolInfo(pool: PoolRef, options?: CallOptions) {
    return this.#connection.call(procedures.storagePoolGetInfo, { pool }, options);
  }

  /** A transient pool, active at once; `LibvirtError` 9 (`errorCode.operationFailed`) if another has its place. */
  async createPool(xml: string, options?: CallOptions): Promise<PoolRef> {
    return (await this.#connection.call(procedures.storagePoolCreateXml, { xml, flags: 0 }, options)).pool;
  }

  /** Stops it, and forgets it if it is transient; its files are not touched. */
  destroyPool(pool: PoolRef, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.storagePoolDestroy, { pool }, options);
  }

  refreshPool(pool: PoolRef, options?: CallOptions): Promise<void> {
    return this.#connection.call(procedures.storagePoolRefresh, { pool, flags: 0 }, options);
  }

  /**
   * These bytes, in memory. Fewer where the volume ends within them, but zeros where it ends before them or in a hole:
   * libvirt takes what is behind the end for a hole. To be sure, ask for the size afterwards.
   */
  async download(volume: VolumeRef, { offset, length }: Range, options?: CallOptions): Promise<Buffer> {
    // libvirt takes the length 0 for the whole rest.
    if (length === 0) return Buffer.alloc(0);
    const bytes = new Collector(length);
    const args = { volume, offset, length, flags: sparse };
    await this.#connection.call(procedures.storageVolDownload, args, options, wire => new ReadStream(bytes, wire));
    return bytes.bytes;
  }

  /**
   * Writes there what comes from `source`, which must be `length` bytes. Beyond its end a file grows; nothing is ever
   * cut off, and others may write to it meanwhile. To know what was written, read it again: see
   * `WriteStream`.
   */
  async upload(volume: VolumeRef, range: Range, source: Source, options?: CallOptions): Promise<void> {
    if (range.length === 0) return;
    const args = { volume, ...range, flags: 0 };
    const bytes = exactly(source, range.length);
    await this.#connection.call(procedures.storageVolUpload, args, options, wire => new WriteStream(bytes, wire));
  }
}

async function* exactly(source: Source, length: number): AsyncGenerator<Buffer> {
  let left = length;
  for await (const bytes of source) {
    left -= bytes.length;
    if (left < 0) throw new RangeError(`more than the ${length} bytes that were announced`);
    yield bytes;
  }
  if (left > 0) throw new RangeError(`${left} of ${length} bytes are missing`);
}
