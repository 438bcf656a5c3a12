import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join, normalize } from 'node:path';
import type { PoolRef, VolumeRef } from '../../../src/libvirt/structs.ts';
import { Refusal, refusals } from './refusal.ts';
import { Accepted, Streamed } from './stream.ts';

interface Pool {
  name: string;
  uuid: string;
  target: string;
  /** Names, as of its last refresh. */
  volumes: string[];
}

/** The storage driver with folders as pools: real folders, whose files it reads and writes. All of it is transient. */
export class FakeStorage {
  /** Bytes that each pool has left; null: what its file system has. */
  available: number | null = null;
  /** What its pools say they are. */
  type = 'dir';
  /** Of all of them; 2: running. */
  state = 2;
  #pools: Pool[] = [];
  #made = 0;

  get pools(): readonly { name: string; target: string }[] {
    return this.#pools;
  }

  create(xml: string): PoolRef {
    const name = /<name>(.*?)<\/name>/.exec(xml)?.[1] ?? '';
    const target = /<path>(.*?)<\/path>/.exec(xml)?.[1] ?? '';
    const other = this.#pools.find(pool => pool.name === name || pool.target === target);
    if (other) throw refusals.poolConflict(other.name);
    const uuid = `00000000-0000-4000-9000-${String(this.#made++).padStart(12, '0')}`;
    const pool = { name, uuid, target, volumes: [] };
    this.#read(pool);
    this.#pools.push(pool);
    return { name, uuid };
  }

  destroy({ uuid }: PoolRef): void {
    this.#pool(uuid);
    this.#pools = this.#pools.filter(pool => pool.uuid !== uuid);
  }

  refresh({ uuid }: PoolRef): void {
    this.#read(this.#pool(uuid));
  }

  list(): PoolRef[] {
    return this.#pools.map(({ name, uuid }) => ({ name, uuid }));
  }

  byTarget(path: string): PoolRef {
    const pool = this.#pools.find(each => each.target === path);
    if (!pool) throw refusals.noPoolAt(path);
    return { name: pool.name, uuid: pool.uuid };
  }

  byName(name: string): PoolRef {
    const pool = this.#pools.find(each => each.name === name);
    if (!pool) throw refusals.noPoolNamed(name);
    return { name, uuid: pool.uuid };
  }

  xml({ uuid }: PoolRef): string {
    const { name, target } = this.#pool(uuid);
    return `<pool type='${this.type}'><name>${name}</name><target><path>${target}</path></target></pool>`;
  }

  /** Of the file system, unless a test says otherwise. */
  space({ uuid }: PoolRef): { state: number; capacity: number; allocation: number; available: number } {
    const { bsize, blocks, bavail } = statfsSync(this.#pool(uuid).target);
    const [capacity, available] = [blocks * bsize, this.available ?? bavail * bsize];
    return { state: this.state, capacity, allocation: capacity - available, available };
  }

  byPath(path: string): VolumeRef {
    const clean = normalize(path);
    for (const { name: pool, target, volumes } of this.#pools) {
      const name = volumes.find(each => join(target, each) === clean);
      if (name !== undefined) return { pool, name, key: clean };
    }
    throw refusals.noVolumeAt(path);
  }

  /** A file of this capacity, all of it a hole. */
  createVolume({ uuid }: PoolRef, xml: string): VolumeRef {
    const pool = this.#pool(uuid);
    const name = /<name>(.*?)<\/name>/.exec(xml)?.[1] ?? '';
    const path = join(pool.target, name);
    if (pool.volumes.includes(name) || existsSync(path)) throw refusals.volumeExists(name);
    const file = system(() => openSync(path, 'wx'));
    ftruncateSync(file, Number(/<capacity[^>]*>(\d+)</.exec(xml)?.[1]));
    closeSync(file);
    pool.volumes.push(name);
    return { pool: pool.name, name, key: path };
  }

  deleteVolume(volume: VolumeRef): void {
    system(() => unlinkSync(this.#path(volume)));
    for (const pool of this.#pools.filter(({ name }) => name === volume.pool)) this.#read(pool);
  }

  info(volume: VolumeRef): { size: number; allocation: number } {
    const { size, blocks } = system(() => statSync(this.#path(volume)));
    return { size, allocation: blocks * 512 };
  }

  /** `sparse`: what is behind its end is a hole, as to the real one. */
  download(volume: VolumeRef, offset: number, length: number, { sparse }: { sparse: boolean }): Streamed<void> {
    const path = this.#path(volume);
    const { size } = system(() => statSync(path));
    if (sparse && offset >= size) return new Streamed<void>(undefined, [{ hole: length }]);
    const bytes = Buffer.alloc(Math.max(0, Math.min(length || size, size - offset)));
    const file = openSync(path, 'r');
    readSync(file, bytes, 0, bytes.length, offset);
    closeSync(file);
    return Streamed.of<void>(undefined, bytes);
  }

  /** Writes as it comes, as the real one does: what was written before it is given up stays. */
  upload(volume: VolumeRef, offset: number, length: number): Accepted {
    const path = this.#path(volume);
    const file = system(() => openSync(path, 'r+'));
    let at = 0;
    return new Accepted({
      data: bytes => {
        if (length > 0 && at + bytes.length > length) throw refusals.uploadFull();
        writeSync(file, bytes, 0, bytes.length, offset + at);
        at += bytes.length;
      },
      end: () => {
        fdatasyncSync(file);
        closeSync(file);
      },
    });
  }

  #pool(uuid: string): Pool {
    const pool = this.#pools.find(each => each.uuid === uuid);
    if (!pool) throw refusals.noPoolWithUuid(uuid);
    return pool;
  }

  #path({ pool: name, name: file }: VolumeRef): string {
    const pool = this.#pools.find(each => each.name === name);
    if (!pool) throw refusals.noPoolNamed(name);
    if (!pool.volumes.includes(file)) throw refusals.noVolumeNamed(file);
    return join(pool.target, file);
  }

  #read(pool: Pool): void {
    const entries = readdirSync(pool.target, { withFileTypes: true });
    pool.volumes = entries.filter(entry => entry.isFile()).map(entry => entry.name);
  }
}

/** The file system's errors in the daemon's words. */
function system<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw refusals.system((error as Error).message);
  }
}
