import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';
import { inTime } from '../../util/deadline.ts';
import { broadcastAddresses } from '../host/networks.ts';
import { encodeQuery, type Packet, parsePacket } from './packet.ts';

export interface FindhostOptions {
  /** The UDP port for queries and answers: devices answer to this port, whatever port the query came from. */
  port?: number;
  /** Milliseconds between two queries. Devices that were queried every second answered only the first time. */
  spacing?: number;
  /** Where a query goes, besides the given addresses. */
  broadcasts?: () => readonly string[];
  /** Makes an unbound socket that shares its port with other programs. */
  socket?: () => Socket;
}

/** The device: its MACs or its addresses; one match is enough. */
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

/** One answer. `from`: its source, IPv4. `ms`: milliseconds since the last query. */
interface Heard {
  kind: 'heard';
  packet: Packet;
  from: string;
  ms: number;
}

/** What became of a question. */
export type Found =
  | Heard
  /** No device answered in time. */
  | { kind: 'silence' }
  /** No answer can be received. `reason` for people: half a sentence. */
  | { kind: 'unavailable'; reason: string };

/** Addresses that get their own query. */
const mostNamed = 32;
/** Answers to one query that are kept, the latest ones. */
const mostHeard = 256;

/**
 * The one socket for Synology's discovery, opened at the first question and shared by all. It sends at most one query in
 * `spacing`, however many questions there are, and none without a question. A question shares the last query if that is
 * younger than `spacing`; otherwise it sends its own at once. It gets every matching answer that arrived *after its query
 * was sent*: such an answer may be here already, and up to `spacing` old. The next query goes out at its time if a
 * question still waits. So a question that waits as long as devices take to answer never misses a device that answers
 * every query.
 *
 * A query goes to every broadcast address, and to the latest addresses of all questions, because a later question may
 * share it. The open socket does not keep the process running; a waiting question does.
 */
export class Findhost {
  readonly #options: Required<FindhostOptions>;
  /** What came since the last query: the latest answer of each device and address, in order of arrival. */
  readonly #heard = new Map<string, Heard>();
  readonly #named = new Set<string>();
  readonly #waiters = new Set<{ wanted: Wanted; resolve: (found: Found) => void }>();
  #socket: Promise<Socket> | null = null;
  /** When the last query was sent, by a monotonic clock. */
  #sent = Number.NEGATIVE_INFINITY;
  /** Until the next query may be sent; always set while a question waits. */
  #turn: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: FindhostOptions = {}) {
    const socket = () => createSocket({ type: 'udp4', reuseAddr: true });
    this.#options = { port: 9999, spacing: 5_000, broadcasts: broadcastAddresses, socket, ...options };
  }

  /** Resolves as soon as there is an answer, or after `timeout`; rejects only when `signal` aborts. */
  async find({ timeout, signal, ...wanted }: Question): Promise<Found> {
    signal.throwIfAborted();
    // Before the first await, so that one query goes to the addresses of all questions of the same moment.
    this.#name(wanted.addresses);
    const trouble = await this.#query();
    signal.throwIfAborted();
    if (trouble) return trouble;
    // A MAC counts more than an address, which another machine may have by now.
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

  /** Tells all waiting questions. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#turn);
    this.#tell(closed);
    const opening = this.#socket;
    this.#socket = null;
    const socket = await opening?.catch(() => null);
    if (socket) await new Promise<void>(resolve => socket.close(resolve));
  }

  /** Sends a query, unless it is too early; resolves to the reason if it cannot. */
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
        // Sending may fail in one network only: the others may still reach the device.
        socket.send(encodeQuery(), port, address, () => {});
      }
      return null;
    } catch (error) {
      this.#socket = null;
      return { kind: 'unavailable', reason: reasonOf(error as NodeJS.ErrnoException, port) };
    }
  }

  /** Queries again while a question waits. */
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
    this.#heard.set(key, heard);
    for (const oldest of [...this.#heard.keys()].slice(0, -mostHeard)) this.#heard.delete(oldest);
    this.#tell(heard, wanted => isFrom(heard, wanted));
  }

  /** Ends the wait of the questions that this answers. */
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
