import { Ownership } from '../../src/bridge/ownership.ts';
import { silent } from '../../src/util/logger.ts';

/**
 * A broker and some bridges on vitest's fake clock. Each way between a client and the broker keeps its order and takes
 * as long as it likes, up to `slowest`.
 */

const topics = { state: 'b/bridge/state', info: 'b/bridge/info', claim: 'b/bridge/claim' };
const patience = 2_000;
/** The longest way from a client to the broker, or back, milliseconds. */
export const slowest = 50;

export interface Habits {
  /** As MQTT 3.1.1: publishers hear themselves. */
  echo: boolean;
  /** The acknowledgement leaves before the message is passed on. */
  hasty: boolean;
  /** Stored messages come this long after the subscription's answer, milliseconds. */
  late: number;
}

interface Packet {
  topic: string;
  payload: string;
  retain: boolean;
}

export class World {
  readonly habits: Habits;
  /** A whole number from 0 to `limit`. */
  readonly #random: (limit: number) => number;
  readonly retained = new Map<string, string>();
  readonly lines = new Set<Line>();
  readonly peers: Peer[] = [];
  /** Sessions that were ever granted the topic. */
  readonly granted = new Set<string>();

  constructor(habits: Habits, random: (limit: number) => number) {
    this.habits = habits;
    this.#random = random;
  }

  delay(): number {
    return this.#random(slowest);
  }

  publish(packet: Packet, from: Line | null): void {
    if (packet.retain) this.retained.set(packet.topic, packet.payload);
    for (const line of this.lines) {
      if (line !== from || this.habits.echo) line.down(() => line.peer.hear({ ...packet, retain: false }));
    }
  }

  start(session: string, clock = 0): Peer {
    const peer = new Peer(this, session, clock);
    this.peers.push(peer);
    peer.connect();
    return peer;
  }

  holders(): Peer[] {
    return this.peers.filter(({ fate, ownership }) => fate === 'alive' && ownership.holding);
  }

  kept() {
    const { session } = JSON.parse(this.retained.get(topics.info) ?? '{}');
    return { state: this.retained.get(topics.state), session };
  }
}

/** One connection; what is under way when it ends is lost. */
class Line {
  readonly peer: Peer;
  readonly #world: World;
  #upAt = 0;
  #downAt = 0;
  /** The broker's end, and the client's. */
  open = true;
  heard = true;

  constructor(peer: Peer, world: World) {
    this.peer = peer;
    this.#world = world;
  }

  up(then: () => void): void {
    this.#upAt = Math.max(this.#upAt, Date.now() + this.#world.delay());
    setTimeout(() => this.open && then(), this.#upAt - Date.now());
  }

  down(then: () => void, extra = 0): void {
    const at = Math.max(this.#downAt, Date.now() + this.#world.delay());
    // What is late lets the others pass.
    if (extra === 0) this.#downAt = at;
    setTimeout(() => this.peer.awake(() => this.heard && then()), at + extra - Date.now());
  }

  /** The broker has noticed that nobody is there. */
  end(will: boolean): void {
    if (!this.open) return;
    this.open = false;
    this.#world.lines.delete(this);
    if (will) this.#world.publish({ topic: topics.state, payload: 'offline', retain: true }, null);
  }
}

export class Peer {
  readonly session: string;
  readonly ownership: Ownership;
  readonly #world: World;
  fate: 'alive' | 'dead' | 'refused' = 'alive';
  line: Line | null = null;
  #frozen: (() => void)[] | null = null;

  constructor(world: World, session: string, clock: number) {
    this.session = session;
    this.#world = world;
    this.ownership = new Ownership({
      topics,
      session,
      instance: `bridge ${session}`,
      patience,
      logger: silent,
      now: () => new Date(Date.now() + clock),
      send: ({ settled, topic, payload }) => this.#send({ topic, payload: String(payload), retain: false }, settled),
    });
    const state = () => {
      this.#send({ topic: topics.info, payload: JSON.stringify({ session }), retain: true });
      this.#send({ topic: topics.state, payload: 'online', retain: true });
    };
    this.ownership.on('granted', () => {
      world.granted.add(session);
      state();
    });
    this.ownership.on('restate', state);
    this.ownership.on('refused', () => {
      this.fate = 'refused';
      const { line } = this;
      line?.up(() => line.end(false));
      if (line) line.heard = false;
    });
  }

  get frozen(): boolean {
    return this.#frozen !== null;
  }

  connect(): void {
    if (this.fate !== 'alive' || this.line?.heard) return;
    const line = new Line(this, this.#world);
    this.line = line;
    line.up(() => {
      this.#world.lines.add(line);
      line.down(() => this.ownership.begin());
      for (const [topic, payload] of this.#world.retained) {
        line.down(() => this.hear({ topic, payload, retain: true }), this.#world.habits.late);
      }
    });
  }

  hear({ topic, payload, retain }: Packet): void {
    if (this.fate === 'alive') this.ownership.hear({ topic, payload: Buffer.from(payload), retain });
  }

  /** Runs it now, or when it is no longer frozen. */
  awake(then: () => void): void {
    if (this.#frozen) this.#frozen.push(then);
    else then();
  }

  freeze(duration: number): void {
    if (this.#frozen || this.fate !== 'alive') return;
    this.#frozen = [];
    setTimeout(() => {
      const missed = this.#frozen ?? [];
      this.#frozen = null;
      for (const each of missed) each();
    }, duration);
  }

  /** The broker notices after so long, and this end some time later. */
  cut(noticed: number, back: number): void {
    const { line } = this;
    if (!line?.heard || this.fate !== 'alive') return;
    setTimeout(() => line.end(true), noticed);
    setTimeout(() => {
      if (!line.heard) return;
      line.heard = false;
      this.awake(() => {
        if (this.fate === 'alive') this.ownership.lost();
        setTimeout(() => this.connect(), 100);
      });
    }, noticed + back);
  }

  die(noticed: number): void {
    const { line } = this;
    if (this.fate !== 'alive') return;
    this.fate = 'dead';
    this.ownership.close();
    if (!line) return;
    line.heard = false;
    setTimeout(() => line.end(true), noticed);
  }

  #send(packet: Packet, settled?: (delivered: boolean) => void): boolean {
    const { line } = this;
    if (!line?.heard) return false;
    this.awake(() =>
      line.up(() => {
        const acknowledge = () => line.down(() => settled?.(true));
        if (this.#world.habits.hasty) acknowledge();
        this.#world.publish(packet, line);
        if (!this.#world.habits.hasty) acknowledge();
      }),
    );
    return true;
  }
}
