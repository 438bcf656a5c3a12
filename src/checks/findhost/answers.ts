import type { Packet } from './packet.ts';

/** One answer as it arrived. */
export interface Heard {
  packet: Packet;
  /** IPv4 that it came from; the device may name another one in it. */
  from: string;
  /** Milliseconds of the clock that its listener goes by. */
  at: number;
}

/** Whose answer is looked for: either is enough. */
export interface Wanted {
  /** Lower case with colons. */
  macs: readonly string[];
  /** IPv4 addresses that are known to belong to one of the MACs. */
  addresses: readonly string[];
}

export function isFrom(heard: Heard, wanted: Wanted): boolean {
  return hasMac(heard, wanted) || wanted.addresses.includes(heard.from);
}

function hasMac({ packet }: Heard, { macs }: Wanted): boolean {
  return packet.mac !== null && macs.includes(packet.mac);
}

/** The latest answer of each device at each of its addresses; the oldest go when there are too many. */
export class Answers {
  readonly #most: number;
  /** In the order of arrival. */
  readonly #answers = new Map<string, Heard>();

  constructor(most = 256) {
    this.#most = most;
  }

  add(heard: Heard): void {
    const key = `${heard.packet.mac} ${heard.from}`;
    this.#answers.delete(key);
    this.#answers.set(key, heard);
    for (const oldest of [...this.#answers.keys()].slice(0, -this.#most)) this.#answers.delete(oldest);
  }

  /** The latest one that arrived at `since` or later. A MAC counts before an address, which may have changed hands. */
  find(wanted: Wanted, since: number): Heard | null {
    const recent = [...this.#answers.values()].filter(heard => heard.at >= since && isFrom(heard, wanted));
    return recent.findLast(heard => hasMac(heard, wanted)) ?? recent.at(-1) ?? null;
  }
}
