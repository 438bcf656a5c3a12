/** What the record of a VM says: a line for each stop and start, and how long they take. Pure. */

/** One line of the record. Other kinds of lines may stand beside these: each has `at` and `what`. */
export interface PowerLine {
  /** When it happened, or when it was noticed, ISO 8601. */
  at: string;
  /** `up`: DSM answered for the first time after a start or a reboot. */
  what: 'start' | 'up' | 'reboot' | 'stop';
  /** Who did it, as in `last_stop`; `host` starts it too; null: unknown. */
  by: string | null;
  /** libvirt's word: `booted`, `shutdown`, `destroyed`, …; null: libvirt has none. */
  how: string | null;
  /** The command's word; null: no command of the bridge. */
  why: string | null;
  /** Of a stop, from the request to off; of `up`, from power on or reset; null: not measured. */
  seconds: number | null;
  /** False: the bridge or libvirt was away, and it was noticed later. */
  seen: boolean;
  /** The time counts for what a stop or a start is expected to take. */
  good: boolean;
}

export interface History {
  /** The last line about the power. */
  last: Pick<PowerLine, 'at' | 'what'> | null;
  /** Seconds of the latest good ones. */
  stops: readonly number[];
  boots: readonly number[];
  /** The lines that came with the latest change. */
  added: readonly PowerLine[];
}

export const noHistory: History = { last: null, stops: [], boots: [], added: [] };

/** The times of so many count, and fewer than `fewest` tell nothing. */
const most = 10;
const fewest = 3;
const fewestUsual = 5;

export function withLines({ last, stops, boots }: History, added: readonly PowerLine[]): History {
  const good = (what: PowerLine['what']) =>
    added.flatMap(line => (line.what === what && line.good && line.seconds !== null ? [line.seconds] : []));
  return {
    last: added.at(-1) ?? last,
    stops: [...stops, ...good('stop')].slice(-most),
    boots: [...boots, ...good('up')].slice(-most),
    added,
  };
}

/** Seconds that a boot seldom exceeds: the 95th percentile, by nearest rank; null: too few are known. */
export function usual(seconds: readonly number[]): number | null {
  const sorted = seconds.toSorted((a, b) => a - b);
  return sorted.length < fewestUsual ? null : (sorted[Math.ceil(sorted.length * 0.95) - 1] ?? null);
}

/** Seconds that it takes at most, as far as is known. */
export function longest(seconds: readonly number[]): number | null {
  return seconds.length < fewest ? null : Math.max(...seconds);
}
