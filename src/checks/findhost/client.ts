import { createSocket, type Socket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { inTime } from '../../util/deadline.ts';
import { type Interfaces, ownInterfaces } from '../host/networks.ts';
import { Answers, type Found, type Heard, isFrom, type Wanted } from './heard.ts';
import { encodeQuery, parsePacket } from './packet.ts';

export interface FindhostOptions {
  /** UDP, asked and listened at: devices answer at this port, wherever the question came from. */
  port?: number;
  /** Milliseconds from one query to the next. Devices that were asked every second answered only the first time. */
  spacing?: number;
  /** Where a query goes besides the addresses that are named. */
  broadcasts?: () => readonly string[];
  /** Makes a socket that is not bound yet and lets others listen at its port too. */
  socket?: () => Socket;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

export interface Question extends Wanted {
  /** Milliseconds. Real devices take 1 100 to 3 300 to answer. */
  timeout: number;
  signal: AbortSignal;
}

/** Devices that are kept. */
const mostAnswers = 256;
/** Addresses that are asked one by one. */
const mostNamed = 32;

/**
 * The one socket for Synology's discovery, opened at the first question and shared by all. It asks at most once in
 * `spacing`, however many want to know, and never if nobody does. So a question shares the last query if that is not
 * older than `spacing`, and else has a query of its own at once. What counts as its answer is whatever matches and
 * arrived *after the query that it shares was sent*: it may be here already, and is then up to `spacing` old; else it
 * is waited for. The next query goes out in its turn while somebody still waits, and its answers count as well. Thus
 * one who asks for at least as long as devices take to answer never misses a device that answers every query.
 *
 * A query goes to every broadcast address, and to the latest addresses that anybody named: a later question may have to
 * share it. The process may end while this is open, but not while somebody waits.
 */
export class Findhost {
  readonly #port: number;
  readonly #spacing: number;
  readonly #broadcasts: () => readonly string[];
  readonly #makeSocket: () => Socket;
  readonly #now: () => number;
  readonly #answers = new Answers(mostAnswers);
  readonly #named = new Set<string>();
  readonly #waiters = new Waiters();
  #socket: Socket | null = null;
  #opening: Promise<string | null> | null = null;
  /** When the last query was sent. */
  #sent = Number.NEGATIVE_INFINITY;
  /** Until the next query may be sent; always there while somebody waits. */
  #turn: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({
    port = 9999,
    spacing = 5_000,
    broadcasts = broadcastAddresses,
    socket = () => createSocket({ type: 'udp4', reuseAddr: true }),
    now = () => performance.now(),
  }: FindhostOptions = {}) {
    this.#port = port;
    this.#spacing = spacing;
    this.#broadcasts = broadcasts;
    this.#makeSocket = socket;
    this.#now = now;
  }

  /** Resolves as soon as there is an answer, at the latest after `timeout`; rejects only when `signal` aborts. */
  async find({ timeout, signal, ...wanted }: Question): Promise<Found> {
    signal.throwIfAborted();
    // Before anything is awaited, so that a query goes to all who are named at the same moment.
    this.#name(wanted.addresses);
    const trouble = await this.#open();
    signal.throwIfAborted();
    if (this.#closed) return closed;
    if (trouble !== null) return { kind: 'unavailable', reason: trouble };
    this.#query();
    const heard = this.#answers.find(wanted, this.#sent);
    return heard ? this.#foundBy(heard) : this.#waiters.wait(wanted, timeout, signal);
  }

  /** Whoever still waits is told so. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#turn);
    this.#waiters.tell(closed);
    await this.#opening;
    const socket = this.#socket;
    this.#socket = null;
    if (socket) await new Promise<void>(resolve => socket.close(resolve));
  }

  /** Null, or the reason that it cannot; once closed, it opens nothing. */
  async #open(): Promise<string | null> {
    if (this.#socket || this.#closed) return null;
    this.#opening ??= this.#bind();
    return this.#opening;
  }

  #bind(): Promise<string | null> {
    return new Promise(resolve => {
      const socket = this.#makeSocket();
      const opened = (trouble: string | null) => {
        this.#opening = null;
        resolve(trouble);
      };
      socket.on('message', (bytes, { address }) => this.#hear(bytes, address));
      socket.once('listening', () => {
        socket.setBroadcast(true);
        socket.unref();
        this.#socket = socket;
        opened(null);
      });
      // What breaks later is opened again by the next question, or by the next query.
      socket.once('error', error => {
        socket.on('error', () => {});
        socket.close();
        if (this.#socket === socket) this.#socket = null;
        opened(reasonOf(error, this.#port));
      });
      socket.bind({ address: '0.0.0.0', port: this.#port });
    });
  }

  /** Unless it is too early. */
  #query(): void {
    if (this.#turn || this.#closed) return;
    this.#sent = this.#now();
    this.#turn = setTimeout(() => {
      this.#turn = undefined;
      void this.#next();
    }, this.#spacing).unref();
    const query = encodeQuery();
    for (const address of new Set([...this.#broadcasts(), ...this.#named])) {
      // A network that is down or forbids it is no failure: another way may lead there.
      this.#socket?.send(query, this.#port, address, () => {});
    }
  }

  /** Asks again while somebody waits. */
  async #next(): Promise<void> {
    if (this.#waiters.size === 0) return;
    const trouble = await this.#open();
    if (trouble === null) this.#query();
    else this.#waiters.tell({ kind: 'unavailable', reason: trouble });
  }

  #hear(bytes: Buffer, from: string): void {
    const packet = parsePacket(bytes);
    if (!packet) return;
    const heard = { packet, from, at: this.#now() };
    this.#answers.add(heard);
    this.#waiters.tell(this.#foundBy(heard), wanted => isFrom(heard, wanted));
  }

  #foundBy({ packet, from, at }: Heard): Found {
    return { kind: 'heard', packet, from, ms: Math.round(at - this.#sent) };
  }

  #name(addresses: readonly string[]): void {
    for (const address of addresses.filter(isIPv4)) {
      this.#named.delete(address);
      this.#named.add(address);
    }
    for (const oldest of [...this.#named].slice(0, -mostNamed)) this.#named.delete(oldest);
  }
}

const closed: Found = { kind: 'unavailable', reason: 'it was closed' };

function reasonOf(error: NodeJS.ErrnoException, port: number): string {
  if (error.code === 'EADDRINUSE') return `another program on this machine has UDP port ${port} to itself`;
  if (error.code === 'EACCES') return `this user may not listen at UDP port ${port}`;
  return `UDP port ${port} cannot be listened at (${error.code ?? error.message})`;
}

/** Everyone on the network of the default route. */
const everyone = '255.255.255.255';

/** Where a question reaches everyone: the broadcast address of each IPv4 network of this machine, and the general one. */
export function broadcastAddresses(interfaces: Interfaces = ownInterfaces()): string[] {
  const own = Object.values(interfaces)
    .flatMap(addresses => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address, netmask }) => broadcastOf(address, netmask))
    .filter(address => address !== null);
  return [...new Set([...own, everyone])];
}

/** Null for networks of one or two addresses, which have none (RFC 3021). */
function broadcastOf(address: string, netmask: string): string | null {
  const mask = netmask.split('.').map(Number);
  if ((mask[3] ?? 255) >= 254) return null;
  return address
    .split('.')
    .map((part, index) => Number(part) | (~(mask[index] ?? 0) & 0xff))
    .join('.');
}

interface Waiter {
  wanted: Wanted;
  settle: (found: Found) => void;
}

/** Those who wait for an answer, each until it is told, its time is over, or it gives up. They keep the process alive. */
class Waiters {
  readonly #waiters = new Set<Waiter>();

  get size(): number {
    return this.#waiters.size;
  }

  /** Resolves to what it is told, or to silence after `timeout` milliseconds; rejects when `signal` aborts. */
  async wait(wanted: Wanted, timeout: number, signal: AbortSignal): Promise<Found> {
    const { promise, resolve: settle } = Promise.withResolvers<Found>();
    const waiter: Waiter = { wanted, settle };
    this.#waiters.add(waiter);
    try {
      return await inTime<Found, Found>(promise, timeout, { kind: 'silence' }, signal);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** Those whom it concerns wait no more. */
  tell(found: Found, concerns: (wanted: Wanted) => boolean = () => true): void {
    for (const waiter of this.#waiters) {
      if (!concerns(waiter.wanted)) continue;
      this.#waiters.delete(waiter);
      waiter.settle(found);
    }
  }
}
