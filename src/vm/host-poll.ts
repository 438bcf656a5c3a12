import { statfs } from 'node:fs/promises';
import { loadavg } from 'node:os';
import type { Libvirt } from '../libvirt/client.ts';
import { ConnectionLost } from '../libvirt/errors.ts';
import type { PoolRef } from '../libvirt/structs.ts';
import type { HostStats, Room } from '../model/host.ts';
import type { Event } from '../model/snapshot.ts';
import { inTime } from '../util/deadline.ts';
import { child, content, parseXml, text } from './xml.ts';

export interface HostPollOptions {
  /** Null while it is down. */
  client: () => Libvirt | null;
  /** Milliseconds. */
  interval: number;
  /** libvirt's host is this machine. */
  local: () => boolean;
  emit: (event: Event) => void;
}

/** Milliseconds for each call. */
const patience = 5_000;

type Cpu = ReadonlyMap<string, number>;

/** Reads a host's load and the room in its pools, once in each interval. What libvirt refuses is not known. */
export class HostPoll {
  readonly #options: HostPollOptions;
  #timer: NodeJS.Timeout | undefined;
  #cpu: Cpu | null = null;
  /** As last known. */
  #rooms: Readonly<Record<string, Room>> = {};
  /** Folders of pools whose file system does not answer: each holds one of the process's few threads. */
  readonly #hanging = new Set<string>();
  #asking = false;

  constructor(options: HostPollOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.tick(), this.#options.interval);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async tick(): Promise<void> {
    const { client: connection, emit } = this.#options;
    const client = connection();
    if (!client || this.#asking) return;
    this.#asking = true;
    try {
      const host = await this.#read(client);
      if (client === connection()) emit({ type: 'host', host });
    } catch {
      // Only a lost connection, which the link reports.
    } finally {
      this.#asking = false;
    }
  }

  async #read(client: Libvirt): Promise<HostStats> {
    const local = this.#options.local();
    const call = { timeout: patience };
    const [cpu, memory, pools] = await Promise.all([
      orNull(client.node.cpu(call)),
      orNull(client.node.memory(call)),
      orNull(client.storage.pools(call)),
    ]);
    const before = this.#cpu;
    this.#cpu = cpu;
    if (pools) this.#rooms = await this.#roomsOf(client, pools, local);
    return {
      sampledAt: new Date().toISOString(),
      cpu: cpu && before && busy(before, cpu),
      memory: memory && memoryOf(memory),
      load: local ? (loadavg()[0] ?? null) : null,
      pools: this.#rooms,
    };
  }

  /** One after the other. A pool that does not answer now keeps what was known of it. */
  async #roomsOf(client: Libvirt, pools: readonly PoolRef[], local: boolean): Promise<Record<string, Room>> {
    const rooms: Record<string, Room> = {};
    for (const pool of pools.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const room = (await orNull(this.#roomOf(client, pool, local))) ?? this.#rooms[pool.name];
      if (room) rooms[pool.name] = room;
    }
    return rooms;
  }

  /** libvirt knows it as of its last refresh, which may wake disks; the file system itself says it now. */
  async #roomOf(client: Libvirt, pool: PoolRef, local: boolean): Promise<Room | null> {
    const call = { timeout: patience };
    if (local) {
      const definition = parseXml(await client.storage.poolXml(pool, call), 'pool');
      const isFolder = /^(dir|fs|netfs)$/.test(text(definition, '@type') ?? '');
      const folder = isFolder && content(child(definition, 'target'), 'path');
      if (folder) return this.#roomIn(folder);
    }
    const { capacity, available } = await client.storage.poolInfo(pool, call);
    return { total: capacity, available };
  }

  async #roomIn(folder: string): Promise<Room | null> {
    if (this.#hanging.has(folder)) return null;
    this.#hanging.add(folder);
    const asked = statfs(folder).catch(() => null);
    void asked.then(() => this.#hanging.delete(folder));
    const now = await inTime(asked, patience, null);
    return now && { total: now.blocks * now.bsize, available: now.bavail * now.bsize };
  }
}

function busy(before: Cpu, now: Cpu): number | null {
  const spent = (names: readonly string[]) =>
    names.reduce((sum, name) => sum + (now.get(name) ?? 0) - (before.get(name) ?? 0), 0);
  const all = spent([...now.keys()]);
  return all > 0 ? Math.round((1 - spent(['idle', 'iowait']) / all) * 1_000) / 10 : null;
}

function memoryOf(kib: ReadonlyMap<string, number>): Room {
  const of = (name: string) => (kib.get(name) ?? 0) * 1_024;
  return { total: of('total'), available: of('free') + of('buffers') + of('cached') };
}

async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ConnectionLost) throw error;
    return null;
  }
}
