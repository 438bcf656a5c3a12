/** The numbers: work done in the guest shows up with the right size, on the right device, in the right direction. */
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { address, guest, inLab, virsh } from '../lab/lab.ts';
import { type Json, type Listener, type Stage, setStage, vmTopic } from './bridge.ts';

const stats = vmTopic('stats');
const nic = '525400d53001';
const size = 24 << 20;

let stage: Stage;
let listener: Listener;
/** Where the guest downloads from, and where what it sends goes. */
let source: HttpServer;
let sink: Server;

beforeAll(async () => {
  stage = await setStage();
  listener = stage.listener;
  source = createHttpServer((_, response) => response.end(Buffer.alloc(size)));
  sink = createServer({ allowHalfOpen: true }, socket => socket.resume().on('end', () => socket.end()));
  for (const server of [source, sink]) await new Promise<void>(resolve => server.listen(0, address.host, resolve));
});

afterAll(async () => {
  source?.close();
  sink?.close();
  await stage?.[Symbol.asyncDispose]();
  if (inLab()) await guest.off();
});

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** libvirt's own word for a counter. */
async function domstat(name: string): Promise<number> {
  const line = (await virsh('domstats', address.domain)).split('\n').find(row => row.trim().startsWith(`${name}=`));
  return Number(line?.split('=')[1]);
}

/**
 * Samples of the time in which the guest worked: from the first that shows a rate to the one whose total has all of it.
 * Rate times time, summed up, is what was moved.
 */
async function during(work: string, total: (sample: Json) => number | null, rate: (sample: Json) => number | null) {
  const settled = await listener.document(stats, sample => rate(sample) !== null, { from: listener.now });
  const before = total(settled) ?? 0;
  const from = listener.now;
  expect(await guest.run(work, { deadline: 60_000 })).toMatchObject({ code: 0 });
  const last = await listener.document(stats, sample => (total(sample) ?? 0) - before >= size, { from });
  const samples = [settled, ...listener.documents(stats, from)];
  const end = samples.findIndex(({ sampled_at }) => sampled_at === last.sampled_at);
  const moved = samples.slice(1, end + 1).reduce((sum, sample, i) => {
    const seconds = (Date.parse(sample.sampled_at) - Date.parse(samples[i].sampled_at)) / 1_000;
    return sum + (rate(sample) ?? 0) * seconds;
  }, 0);
  return { samples: samples.slice(1, end + 1), last, moved, grown: (total(last) ?? 0) - before };
}

test('writing to sda is a write rate of sda alone', async () => {
  const { samples, last, moved, grown } = await during(
    `dd if=/dev/zero of=/dev/sda bs=1M count=${size >> 20} conv=fsync`,
    sample => sample.disks.sda.write_bytes,
    sample => sample.disks.sda.write_bytes_per_second,
  );
  expect(grown).toBe(size);
  expect(moved).toBeGreaterThan(size * 0.9);
  expect(moved).toBeLessThan(size * 1.1);
  expect(Math.max(...samples.map(({ disks }) => disks.sda.read_bytes_per_second))).toBeLessThan(1e6);
  expect(Math.max(...samples.map(({ disks }) => disks.sdb.write_bytes_per_second))).toBe(0);
  const busy = samples.find(({ disks }) => disks.sda.write_operations_per_second > 0);
  expect(busy.disks.sda.write_latency_ms).toBeGreaterThan(0);
  expect(last.disks.sda.write_bytes).toBe(await domstat('block.0.wr.bytes'));
  expect(last.disks.sda.capacity).toBe(await domstat('block.0.capacity'));
});

test('reading from sdb is a read rate of sdb alone', async () => {
  const { samples, moved, grown } = await during(
    `dd if=/dev/sdb of=/dev/null bs=1M count=${size >> 20}`,
    sample => sample.disks.sdb.read_bytes,
    sample => sample.disks.sdb.read_bytes_per_second,
  );
  // The guest's kernel reads ahead.
  expect(grown).toBeLessThan(size * 2);
  expect(moved).toBeGreaterThan(grown * 0.9);
  expect(moved).toBeLessThan(grown * 1.1);
  expect(Math.max(...samples.map(({ disks }) => disks.sda.read_bytes_per_second))).toBeLessThan(1e6);
});

test('what the guest downloads is received', async () => {
  const { samples, last, moved } = await during(
    `wget -q -O /dev/null http://${address.host}:${portOf(source)}/`,
    sample => sample.nics[nic].rx_bytes,
    sample => sample.nics[nic].rx_bytes_per_second,
  );
  expect(moved).toBeGreaterThan(size * 0.9);
  expect(moved).toBeLessThan(size * 1.2);
  const sent = samples.reduce((sum, { nics }) => sum + nics[nic].tx_bytes_per_second, 0);
  expect(sent).toBeLessThan(size * 0.2);
  const total = await domstat('net.0.rx.bytes');
  expect(Math.abs(total - last.nics[nic].rx_bytes)).toBeLessThan(100_000);
  expect(last.nics[nic].rx_packets_per_second).not.toBeNull();
});

test('what the guest uploads is transmitted', async () => {
  const { samples, moved } = await during(
    `dd if=/dev/zero bs=1M count=${size >> 20} | nc ${address.host} ${portOf(sink)}`,
    sample => sample.nics[nic].tx_bytes,
    sample => sample.nics[nic].tx_bytes_per_second,
  );
  expect(moved).toBeGreaterThan(size * 0.9);
  expect(moved).toBeLessThan(size * 1.2);
  const received = samples.reduce((sum, { nics }) => sum + nics[nic].rx_bytes_per_second, 0);
  expect(received).toBeLessThan(size * 0.2);
});

test('CPU is the time of the vCPUs, as a share of both', async () => {
  const from = listener.now;
  await guest.run('timeout 4 sh -c "while :; do :; done"; true');
  const samples = listener.documents(stats, from);
  for (const [i, { sampled_at, cpu }] of samples.entries()) {
    const before = samples[i - 1];
    if (!before) continue;
    const seconds = (Date.parse(sampled_at) - Date.parse(before.sampled_at)) / 1_000;
    expect(cpu.percent).toBeCloseTo(((cpu.seconds - before.cpu.seconds) / seconds / 2) * 100, -1);
  }
  expect(Math.max(...samples.map(({ cpu }) => cpu.percent))).toBeGreaterThan(10);
  const time = (await domstat('vcpu.0.time')) + (await domstat('vcpu.1.time'));
  const latest = await listener.document(stats, ({ cpu }) => cpu.seconds >= time / 1e9 - 1, { from });
  expect(latest.cpu.seconds).toBeLessThan(time / 1e9 + 3);
});

test('the guest tells what memory it uses, the host what QEMU holds', async () => {
  const sample = await listener.document(stats, ({ memory }) => memory.used !== null);
  expect(sample.memory.total).toBe((await domstat('balloon.current')) * 1024);
  expect(sample.memory.used).toBeGreaterThan(10 << 20);
  expect(sample.memory.used).toBeLessThan(sample.memory.total);
  expect(sample.memory.used_percent).toBeGreaterThan(0);
  expect(sample.memory.resident).toBeGreaterThan(50 << 20);
});
