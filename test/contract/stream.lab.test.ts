/**
 * Read streams where they are long: a whole storage volume at once, which the bridge itself reads in pieces. A screenshot
 * is one packet or two, over before it could be given up.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CallOptions } from '../../src/libvirt/calls.ts';
import { Connection } from '../../src/libvirt/connection.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { Collector, ReadStream } from '../../src/libvirt/stream.ts';
import { unixDialer } from '../../src/libvirt/transport.ts';
import { address, inLab, virsh } from '../lab/lab.ts';

const { storageVolDownload: download } = procedures;
const sparse = 1;
const megabyte = 1024 ** 2;
const pool = 'stream-test';
const content = randomBytes(32 * megabyte);

let folder: string;
let connection: Connection;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  folder = await mkdtemp(join(tmpdir(), 'pool-'));
  await writeFile(join(folder, 'whole'), content);
  const file = await open(join(folder, 'holes'), 'w');
  await file.truncate(64 * megabyte);
  await file.write('in the middle', 20 * megabyte);
  await file.close();
  await virsh('pool-create-as', pool, 'dir', '--target', folder);
});

afterAll(async () => {
  if (!folder) return;
  await virsh('pool-destroy', pool);
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  const stream = await unixDialer([address.socket])(AbortSignal.timeout(1_000));
  connection = new Connection(stream, { maxInFlight: 10, keepalive: { interval: 500, count: 3 } }).start();
  await connection.call(procedures.authList, undefined);
  await connection.call(procedures.connectOpen, { name: 'qemu:///system', flags: 0 });
});

afterEach(() => connection.close());

/** Says when bytes come, and counts the holes. */
class Told extends Collector {
  holes = 0;
  readonly #heard: () => void;

  constructor(limit: number, heard = () => {}) {
    super(limit);
    this.#heard = heard;
  }

  override data(bytes: Buffer): void {
    super.data(bytes);
    this.#heard();
  }

  override hole(length: number): void {
    super.hole(length);
    this.holes += 1;
  }
}

const args = (name: string, flags = 0) => ({
  volume: { pool, name, key: join(folder, name) },
  offset: 0,
  length: 0,
  flags,
});
const read = (what: ReturnType<typeof args>, into: Collector, options: CallOptions = {}) =>
  connection.call(download, what, options, wire => new ReadStream(into, wire));
const alive = () => connection.call(procedures.connectGetHostname, undefined, { timeout: 5_000 });

test('all of it comes, in order', async () => {
  const sink = new Collector(content.length);
  await read(args('whole'), sink);
  expect(sink.bytes.equals(content)).toBe(true);
});

test('what is not there opens no stream', async () => {
  await expect(read(args('nowhere'), new Collector(1))).rejects.toMatchObject({ name: 'LibvirtError', code: 50 });
  await alive();
});

test('given up at its limit, twenty times over, the connection has all its places', async () => {
  for (let i = 0; i < 20; i++) {
    await expect(read(args('whole'), new Collector(megabyte))).rejects.toMatchObject({ name: 'LimitError' });
  }
  await Promise.all(Array.from({ length: 10 }, alive));
});

test('given up by its signal in the middle, and by its deadline', async () => {
  const controller = new AbortController();
  const sink = new Told(content.length, () => {
    if (sink.bytes.length > 2 * megabyte) controller.abort(new Error('enough'));
  });
  await expect(read(args('whole'), sink, { signal: controller.signal })).rejects.toThrow('enough');
  const late = read(args('whole'), new Collector(content.length), { timeout: 1 });
  await expect(late).rejects.toMatchObject({ name: 'TimeoutError' });
  await Promise.all(Array.from({ length: 10 }, alive));
  expect(sink.bytes.equals(content.subarray(0, sink.bytes.length))).toBe(true);
});

test('asked to be sparse, it has holes', async () => {
  const sink = new Told(64 * megabyte);
  await read(args('holes', sparse), sink);
  expect(sink.holes).toBe(2);
  expect(sink.bytes.length).toBe(64 * megabyte);
  expect(sink.bytes.toString('latin1', 20 * megabyte, 20 * megabyte + 13)).toBe('in the middle');
});

test('the daemon does not count open streams: with eight of them it reads on', async () => {
  let ended = 0;
  const begun: Promise<void>[] = [];
  const reads = Array.from({ length: 8 }, async () => {
    const first = Promise.withResolvers<void>();
    begun.push(first.promise);
    await read(args('whole'), new Told(content.length, () => first.resolve()), { timeout: 60_000 });
    ended += 1;
  });
  await Promise.all(begun);
  await alive();
  expect(ended).toBe(0);
  await Promise.all(reads);
});
