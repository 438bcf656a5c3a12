import type { FakeDomain } from './domain.ts';
import { state } from './numbers.ts';

export interface LivelyOptions {
  /** Milliseconds between two movements of the counters. */
  interval?: number;
  /** Milliseconds from the power button to off. */
  powerOff?: number;
  random?: () => number;
}

/** A guest that lives: busy while it boots, then reading, writing and serving now and then, until it is disposed. */
export function lively(
  domain: FakeDomain,
  { interval = 500, powerOff = 4_000, random = Math.random }: LivelyOptions = {},
): Disposable {
  domain.guest.powerButton = powerOff;
  let age = 0;
  const timer = setInterval(() => {
    if (domain.state.state !== state.running) {
      age = 0;
      return;
    }
    age += interval;
    live(domain, interval / 1_000, age < 5_000 ? 1 : 0.1 + 0.3 * random() ** 3, random);
  }, interval);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** `seconds` of life at `effort` 0 to 1. */
function live({ stats, hardware, memoryPeriod }: FakeDomain, seconds: number, effort: number, random: () => number) {
  const some = (most: number) => Math.round(most * effort * random() * seconds);
  const cpu = Math.round(1e9 * seconds * effort * hardware.vcpus);
  stats.add({ 'cpu.time': cpu, 'cpu.user': Math.round(cpu * 0.7), 'cpu.system': Math.round(cpu * 0.3) });
  for (let i = 0; i < hardware.vcpus; i++) {
    stats.add({ [`vcpu.${i}.time`]: Math.round(cpu / hardware.vcpus), [`vcpu.${i}.delay`]: some(1e7) });
  }
  hardware.disks.forEach((_, i) => {
    const [reads, writes, flushes] = [some(400), some(250), some(10)];
    stats.add({
      [`block.${i}.rd.reqs`]: reads,
      [`block.${i}.rd.bytes`]: reads * 131_072,
      [`block.${i}.rd.times`]: reads * 2_100_000,
      [`block.${i}.wr.reqs`]: writes,
      [`block.${i}.wr.bytes`]: writes * 65_536,
      [`block.${i}.wr.times`]: writes * 3_400_000,
      [`block.${i}.fl.reqs`]: flushes,
      [`block.${i}.fl.times`]: flushes * 8_000_000,
    });
  });
  hardware.macs.forEach((_, i) => {
    const [received, sent] = [some(20_000), some(45_000)];
    stats.add({
      [`net.${i}.rx.pkts`]: received,
      [`net.${i}.rx.bytes`]: received * 900,
      [`net.${i}.tx.pkts`]: sent,
      [`net.${i}.tx.bytes`]: sent * 1_300,
    });
  });
  const unused = Math.round(hardware.memory * (0.5 - 0.3 * effort));
  stats.set({ 'balloon.rss': Math.round(hardware.memory * 0.9) });
  if (memoryPeriod > 0) {
    stats.set({
      'balloon.available': Math.round(hardware.memory * 0.97),
      'balloon.unused': unused,
      'balloon.usable': Math.round(unused * 1.4),
      'balloon.disk_caches': Math.round(unused * 0.5),
      'balloon.last-update': Math.floor(Date.now() / 1_000),
    });
  }
}
