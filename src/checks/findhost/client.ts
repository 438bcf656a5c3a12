import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';
import { inTime } from '../../util/deadline.ts';
import { broadcastAddresses } from '../host/networks.ts';
import { encodeQuery, type Packet, parsePacket } from './packet.ts';

export interface FindhostOptions {
  /** UDP, asked and listened at: devices answer at this port, wherever the question came from. */
  port?: number;
  /** Milliseconds from one query to the next. Devices that were asked every second answered only the first time. */
  spacing?: number;
  /** Where a query goes besides the addresses that are named. */
  broadcasts?: () => readonly string[];
  /** Makes a socket that is not bound yet and lets others listen at its port too. */
  socket?: () => Socket;
}

/** Whose answer is looked for: either is enough. */
interface Wanted {
  /** Lower case with colons. */
  macs: readonly string[];
  /** IPv4 addresses that are known to belong to one of the MACs. */
  addresses: readonly string[];
}

export interface Question extends Wanted {
  /** Milliseconds. Real devices take 1 100 to 3 300 to answer. */
  timeout: number;
  signal: AbortSignal;
}

/** One answer. `from`: IPv4 that it came from. `ms`: milliseconds from the query before it to its arrival. */
interface Heard {
  kind: 'heard';
  packet: Packet;
  from: string;
  ms: number;
}

/** What became of a question. */
export type Found =
  | Heard
  /** Nobody answered in time. */
  | { kind: 'silence' }
  /** Nothing can be heard. `reason` for people: half a sentence. */
  | { kind: 'unavailable'; reason: string };

/** Addresses that are asked one by one. */
const mostNamed = 32;
/** Answers to one query that are kept. */
const mostHeard = 256;

/**
 * The one socket for Synology's discovery, opened at the first question and shared by all. It asks at most once in
 * `spacing`, however many want to know, and never if nobody does. A question shares the last query if that is not older
 * than `spacing`, and else has a query of its own at once. What counts as its answer is whatever matches and arrived
 * *after the query that it shares was sent*: it may be here already, and is then up to `spacing` old. The next query
 * goes out in its turn while somebody still waits. Thus one who asks for at least as long as devices take to answer
 * never misses a device that answers every query.
 *
 * A query goes to every broadcast address, and to the latest addresses that anybody named: a later question may have to
 * share it. The process may end while this is open, but not while somebody waits.
 */
export class Findhost {
  readonly #options: Required<FindhostOptions>;
  /** What came since the last query: the latest of each device at each of its addresses, in order of arrival. */
  readonly #heard = new Map<string, Heard>();
  readonly #named = new Set<string>();
  readonly #waiters = new Set<{ wanted: Wanted; resolve: (found: Found) => void }>();
  #socket: Promise<Socket> | null = null;
  /** When the last query was sent, of a clock that only goes on. */
  #sent = Number.NEGATIVE_INFINITY;
  /** Until the next query may be sent; always there while somebody waits. */
  #turn: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: FindhostOptions = {}) {
    const socket = () => createSocket({ type: 'udp4', reuseAddr: true });
    this.#options = { port: 9999, spacing: 5_000, broadcasts: broadcastAddresses, socket, ...options };
  }

  /** Resolves as soon as there is an answer, at the latest after `timeout`; rejects only when `signal` aborts. */
  async find({ timeout, signal, ...wanted }: Question): Promise<Found> {
    signal.throwIfAborted();
    // Before anything is awaited, so that a query goes to all who are named at the same moment.
    this.#name(wanted.addresses);
    const trouble = await this.#query();
    signal.throwIfAborted();
    if (trouble) return trouble;
    // A MAC counts before an address, which may have changed hands.
    const heard = [...this.#heard.values()].filter(each => isFrom(each, wanted));
    const best = heard.findLast(each => hasMac(each, wanted)) ?? heard.at(-1);
    if (best) return best;
    const { promise, resolve } = Promise.withResolvers<Found>();
    const waiter = { wanted, resolve };
    this.#waiters.add(waiter);
    try {
      return await inTime<Found, Found>(promise, timeout, { kind: 'silence' }, signal);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** Tells whoever still waits. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#turn);
    this.#tell(closed);
    const opening = this.#socket;
    this.#socket = null;
    const socket = await opening?.catch(() => null);
    if (socket) await new Promise<void>(resolve => socket.close(resolve));
  }

  /** Sends a query, unless it is too early; resolves to what keeps it from that. */
  async #query(): Promise<Found | null> {
    if (this.#closed) return closed;
    const { port, spacing, broadcasts } = this.#options;
    try {
      this.#socket ??= this.#open();
      const socket = await this.#socket;
      if (this.#closed) return closed;
      if (this.#turn) return null;
      this.#sent = performance.now();
      this.#heard.clear();
      this.#turn = setTimeout(() => void this.#next(), spacing).unref();
      for (const address of new Set([...broadcasts(), ...this.#named])) {
        // A network that is down or forbids it is no failure: another way may lead there.
        socket.send(encodeQuery(), port, address, () => {});
      }
      return null;
    } catch (error) {
      this.#socket = null;
      return { kind: 'unavailable', reason: reasonOf(error as NodeJS.ErrnoException, port) };
    }
  }

  /** Asks again while somebody waits. */
  async #next(): Promise<void> {
    this.#turn = undefined;
    if (this.#waiters.size === 0) return;
    const trouble = await this.#query();
    if (trouble) this.#tell(trouble);
  }

  async #open(): Promise<Socket> {
    const { port, socket: make } = this.#options;
    const socket = make();
    // If it breaks later, the next query opens another one.
    socket.once('error', () => {
      socket.on('error', () => {});
      socket.close();
      this.#socket = null;
    });
    socket.on('message', (bytes, { address }) => this.#hear(bytes, address));
    socket.bind({ address: '0.0.0.0', port });
    await once(socket, 'listening');
    socket.setBroadcast(true);
    return socket.unref();
  }

  #hear(bytes: Buffer, from: string): void {
    const packet = parsePacket(bytes);
    if (!packet) return;
    const heard: Heard = { kind: 'heard', packet, from, ms: Math.round(performance.now() - this.#sent) };
    const key = `${packet.mac} ${from}`;
    this.#heard.delete(key);
    if (this.#heard.size < mostHeard) this.#heard.set(key, heard);
    this.#tell(heard, wanted => isFrom(heard, wanted));
  }

  /** Ends the wait of those whom it concerns. */
  #tell(found: Found, concerns: (wanted: Wanted) => boolean = () => true): void {
    for (const waiter of this.#waiters) {
      if (!concerns(waiter.wanted)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(found);
    }
  }

  #name(addresses: readonly string[]): void {
    for (const address of addresses.filter(isIPv4)) {
      this.#named.delete(address);
      this.#named.add(address);
    }
    for (const oldest of [...this.#named].slice(0, -mostNamed)) this.#named.delete(oldest);
  }
}

function isFrom(heard: Heard, wanted: Wanted): boolean {
  return hasMac(heard, wanted) || wanted.addresses.includes(heard.from);
}

function hasMac({ packet }: Heard, { macs }: Wanted): boolean {
  return packet.mac !== null && macs.includes(packet.mac);
}

const closed: Found = { kind: 'unavailable', reason: 'it was closed' };

function reasonOf({ code, message }: NodeJS.ErrnoException, port: number): string {
  if (code === 'EADDRINUSE') return `another program on this machine has UDP port ${port} to itself`;
  if (code === 'EACCES') return `this user may not listen at UDP port ${port}`;
  return `UDP port ${port} cannot be listened at (${code ?? message})`;
}
