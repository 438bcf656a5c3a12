import type { VmKey } from '../model/snapshot.ts';
import type { Stats } from '../model/stats.ts';

/** The samples of a day, in memory, for the page's graphs. */

/** What a sample has on the page: percent, and bytes a second. */
const series = {
  cpu: ({ cpu }: Stats) => cpu.percent,
  memory: ({ memory }: Stats) => memory.used_percent,
  read: ({ disks }: Stats) => sum(disks, disk => disk.read_bytes_per_second),
  write: ({ disks }: Stats) => sum(disks, disk => disk.write_bytes_per_second),
  received: ({ nics }: Stats) => sum(nics, nic => nic.rx_bytes_per_second),
  sent: ({ nics }: Stats) => sum(nics, nic => nic.tx_bytes_per_second),
};
type Name = keyof typeof series;
const names = Object.keys(series) as Name[];

/** `at`: seconds since 1970; null is a gap. */
export type Graph = { at: number[] } & Record<Name, (number | null)[]>;

/** Seconds that one slot stands for. */
const step = 30;
const slots = (24 * 3_600) / step;
const mostPoints = 360;

interface Day {
  /** Which slot of all time is at each place; 0: none. */
  slot: Int32Array;
  /** Known values that a mean is of. */
  count: Uint16Array;
  /** Means, slot after slot; NaN: unknown. */
  values: Float32Array;
}

export class Samples {
  readonly #days = new Map<VmKey, Day>();
  /** Seconds between two samples: it is no gap if the slots between them are empty. */
  readonly #apart: number;

  constructor(interval: number) {
    this.#apart = Math.max(step, interval / 1_000);
  }

  /** `keys`: those that count. */
  hear(all: ReadonlyMap<VmKey, Stats>, keys: readonly VmKey[] = [...all.keys()]): void {
    for (const key of keys) {
      const stats = all.get(key);
      if (stats && stats.sampled_at !== null && !stats.stale) this.#add(key, stats);
    }
  }

  /** The latest hours, as the mean of so many slots that there are at most 360 points. `now`: seconds since 1970. */
  graph(key: VmKey, hours: number, now: number): Graph {
    const graph: Graph = { at: [], cpu: [], memory: [], read: [], write: [], received: [], sent: [] };
    const day = this.#days.get(key);
    const wide = Math.max(1, Math.ceil((hours * 3_600) / step / mostPoints));
    const last = Math.floor(now / step);
    const first = Math.max(last - (hours * 3_600) / step, last - slots) + 1;
    let before: number | null = null;
    for (let from = first - (first % wide); day && from <= last; from += wide) {
      const places = placesFrom(day, from, wide);
      if (places.length === 0) continue;
      const isGap = before !== null && (from - before - wide) * step > 2 * this.#apart;
      if (isGap) push(graph, (before as number) * step + step * wide, () => null);
      push(graph, from * step, index => mean(places.map(place => day.values[place * names.length + index] as number)));
      before = from;
    }
    return graph;
  }

  #add(key: VmKey, stats: Stats): void {
    const day = this.#days.get(key) ?? newDay();
    this.#days.set(key, day);
    const slot = Math.floor(Date.parse(stats.sampled_at ?? '') / 1_000 / step);
    const place = slot % slots;
    if (day.slot[place] !== slot) {
      day.slot[place] = slot;
      day.count.fill(0, place * names.length, (place + 1) * names.length);
      day.values.fill(Number.NaN, place * names.length, (place + 1) * names.length);
    }
    for (const [index, name] of names.entries()) {
      const at = place * names.length + index;
      const value = series[name](stats);
      if (value === null) continue;
      const count = (day.count[at] as number) + 1;
      day.count[at] = count;
      const was = count === 1 ? value : (day.values[at] as number);
      day.values[at] = was + (value - was) / count;
    }
  }
}

function newDay(): Day {
  const all = slots * names.length;
  return { slot: new Int32Array(slots), count: new Uint16Array(all), values: new Float32Array(all) };
}

function placesFrom(day: Day, from: number, wide: number): number[] {
  const places = [];
  for (let slot = from; slot < from + wide; slot++) if (day.slot[slot % slots] === slot) places.push(slot % slots);
  return places;
}

function push(graph: Graph, at: number, value: (index: number) => number | null): void {
  graph.at.push(at);
  for (const [index, name] of names.entries()) graph[name].push(value(index));
}

function mean(values: readonly number[]): number | null {
  const known = values.filter(value => !Number.isNaN(value));
  if (known.length === 0) return null;
  return Math.round((known.reduce((all, value) => all + value, 0) / known.length) * 100) / 100;
}

/** Null: unknown of each. */
function sum<T>(parts: Readonly<Record<string, T>>, of: (part: T) => number | null): number | null {
  const known = Object.values(parts).flatMap(part => of(part) ?? []);
  return known.length === 0 ? null : known.reduce((all, value) => all + value, 0);
}
