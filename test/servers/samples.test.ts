import { expect, test } from 'vitest';
import { type Stats, unknownDisk, unknownNic, unknownStats } from '../../src/model/stats.ts';
import { Samples } from '../../src/servers/samples.ts';

const start = Date.UTC(2026, 10, 22, 8) / 1_000;
const sample = (seconds: number, percent: number | null, more: Partial<Stats> = {}) => {
  const stats = unknownStats(new Date(seconds * 1_000).toISOString());
  return new Map([['DSM', { ...stats, cpu: { ...stats.cpu, percent }, ...more }]]);
};

test('a point for each half a minute, the mean of its samples', () => {
  const samples = new Samples(10_000);
  for (const [i, percent] of [10, 20, 30, 40, 40, 40].entries()) samples.hear(sample(start + i * 10, percent));
  const { at, cpu, memory } = samples.graph('DSM', 1, start + 59);
  expect({ at, cpu, memory }).toEqual({ at: [start, start + 30], cpu: [20, 40], memory: [null, null] });
});

test('all disks and all NICs together, in bytes a second; what is unknown is not zero', () => {
  const disk = { ...unknownDisk, read_bytes_per_second: 5 };
  const nics = { a: { ...unknownNic, rx_bytes_per_second: 1 }, b: { ...unknownNic, rx_bytes_per_second: 2 } };
  const samples = new Samples(30_000);
  samples.hear(sample(start, 1, { disks: { sda: disk, sdb: disk, sdc: unknownDisk }, nics }));
  expect(samples.graph('DSM', 1, start)).toMatchObject({ read: [10], write: [null], received: [3], sent: [null] });
});

test('a day has at most 360 points, and 25 hours ago is forgotten', () => {
  const samples = new Samples(30_000);
  const end = start + 25 * 3_600;
  for (let at = start; at < end; at += 30) samples.hear(sample(at, (at - start) / 3_600));
  const { at, cpu } = samples.graph('DSM', 24, end - 1);
  expect(at.length).toBeLessThanOrEqual(361);
  expect(at[0]).toBeGreaterThanOrEqual(end - 24 * 3_600 - 240);
  expect(cpu[0]).toBeGreaterThan(0.9);
  expect(cpu.at(-1)).toBeCloseTo(25, 0);
  expect(samples.graph('DSM', 1, end - 1).at).toHaveLength(120);
});

test('a gap is a point without values; rare samples are none', () => {
  const [often, rare] = [new Samples(30_000), new Samples(300_000)];
  for (const samples of [often, rare]) for (const at of [0, 300, 600]) samples.hear(sample(start + at, 1));
  expect(often.graph('DSM', 1, start + 600).cpu).toEqual([1, null, 1, null, 1]);
  expect(rare.graph('DSM', 1, start + 600).cpu).toEqual([1, 1, 1]);
});

test('an unknown value is no part of a mean, and only the VMs that count are heard', () => {
  const samples = new Samples(10_000);
  for (const [i, percent] of [10, null, 30].entries()) samples.hear(sample(start + i * 10, percent));
  samples.hear(sample(start, 99), []);
  expect(samples.graph('DSM', 1, start + 29).cpu).toEqual([20]);
});

test('stale and unknown samples, another VM, a clock that goes back', () => {
  const samples = new Samples(30_000);
  samples.hear(sample(start, 1, { stale: true }));
  samples.hear(new Map([['DSM', unknownStats(null)]]));
  expect(samples.graph('DSM', 24, start).at).toEqual([]);
  expect(samples.graph('other', 24, start).at).toEqual([]);
  samples.hear(sample(start + 86_400, 5));
  samples.hear(sample(start, 7));
  expect(samples.graph('DSM', 1, start).cpu).toEqual([7]);
});
