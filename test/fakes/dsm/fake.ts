import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { Findhostd } from './findhostd.ts';
import { plainToHttps, readScenario, type Scenario, type ScenarioName, type Service } from './scenario.ts';

/**
 * A DSM in this process, at a loopback address of its own: the scenarios of the lab's guest over real sockets. Its
 * certificate signs itself. It answers discovery at the client's address only: loopback has no broadcast.
 */

export interface ListenOptions {
  /** Default: one of 127/8 by chance. */
  address?: string;
  scenario?: ScenarioName;
  /** What discovery says it is. */
  mac?: string;
}

/** Every port that a scenario may open. */
const wellKnown = [22, 445, 5000, 5001, 7681] as const;
const discovery = 9999;
/** Where answers of discovery come from. */
const mouth = 1234;
/** Bytes of a request. */
const most = 65_536;

const identity = {
  cert: readFileSync(new URL('../../mqtt/tls/cert.pem', import.meta.url)),
  key: readFileSync(new URL('../../mqtt/tls/key.pem', import.meta.url)),
};

export class FakeDsm implements AsyncDisposable {
  readonly address: string;
  readonly #mac: string;
  readonly #ports: ReadonlyMap<number, number>;
  readonly #tls: TlsServer;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  #scenario: Scenario;
  #findhostd: Findhostd | null = null;
  #requests: string[] = [];

  private constructor(address: string, mac: string, ports: ReadonlyMap<number, number>, scenario: Scenario) {
    this.address = address;
    this.#mac = mac;
    this.#ports = ports;
    this.#scenario = scenario;
    this.#tls = createTlsServer(identity, socket => this.#answer(socket, 5001));
    this.#tls.on('tlsClientError', (_, socket) => socket.destroy());
  }

  static async listen(options: ListenOptions = {}): Promise<FakeDsm> {
    const { address = randomAddress(), scenario = 'up', mac = '52:54:00:d5:30:01' } = options;
    const ports = new Map<number, number>();
    for (const port of wellKnown) ports.set(port, await freePort(address, port));
    for (const port of [discovery, mouth]) ports.set(port, await freeUdpPort(address, port));
    const dsm = new FakeDsm(address, mac, ports, readScenario(scenario));
    await dsm.serve(scenario);
    return dsm;
  }

  get scenario(): ScenarioName {
    return this.#scenario.name;
  }

  /** Where one of DSM's ports is: itself, unless this user or machine has no room for it. */
  port(port: number): number {
    return this.#ports.get(port) ?? port;
  }

  /** What was asked since the scenario began: `5000 GET /path?query` in order, then a `9999 query` for each of those. */
  get requests(): readonly string[] {
    return [...this.#requests, ...(this.#findhostd?.asked.all ?? []).map(() => `${discovery} query`)];
  }

  /** Ends every connection, and begins this one afresh, even if it is the same. Rejects for a name that there is not. */
  async serve(name: ScenarioName): Promise<void> {
    const scenario = readScenario(name);
    await this.close();
    this.#scenario = scenario;
    this.#requests = [];
    for (const [port, service] of scenario.ports) await this.#open(port, service);
    if (scenario.findhostd) {
      this.#findhostd = await Findhostd.listen({
        ...scenario.findhostd,
        ...{ address: this.address, mac: this.#mac, port: this.port(discovery), replyPort: this.port(mouth) },
      });
    }
  }

  /** Idempotent; what it was asked is gone. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const servers = [...this.#servers];
    this.#servers.clear();
    const findhostd = this.#findhostd;
    this.#findhostd = null;
    await Promise.all([...servers.map(server => server[Symbol.asyncDispose]()), findhostd?.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open(port: number, service: Service): Promise<void> {
    const server = createServer(socket => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket));
      this.#welcome(socket, port, service);
    });
    this.#servers.add(server);
    server.listen(this.port(port), this.address);
    await once(server, 'listening');
  }

  #welcome(socket: Socket, port: number, service: Service): void {
    if (service.kind === 'http') this.#answer(socket, port);
    else if (service.kind === 'https') this.#unwrap(socket, port);
    else if (service.kind === 'banner') socket.resume().write(service.words);
    else socket.resume();
  }

  /** TLS, and what comes without. */
  #unwrap(socket: Socket, port: number): void {
    socket.once('readable', () => {
      const first: Buffer | null = socket.read();
      if (first === null) return;
      socket.unshift(first);
      if (first[0] === 0x16) this.#tls.emit('connection', socket);
      else this.#hear(socket, port, plainToHttps);
    });
  }

  #answer(socket: Socket, port: number): void {
    const service = this.#scenario.ports.get(port);
    const site = service && 'site' in service ? service.site : '';
    this.#hear(socket, port, (method, target) => this.#scenario.page(site, method, target));
  }

  #hear(socket: Socket, port: number, answer: (method: string, target: string) => Buffer): void {
    let text = '';
    const hear = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.length >= most) socket.destroy();
      const [, method, target] = (/\r?\n\r?\n/.test(text) && /^(\S+) (\S+)/.exec(text)) || [];
      if (method === undefined || target === undefined) return;
      this.#requests.push(`${port} ${method} ${target}`);
      socket.off('data', hear).resume().end(answer(method, target));
    };
    socket.on('error', () => {}).on('data', hear);
  }
}

function randomAddress(): string {
  return `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
}

/** This one, or any where it is taken, or only for root. */
async function freePort(address: string, port: number): Promise<number> {
  for (const candidate of [port, 0]) {
    const server = createServer();
    try {
      server.listen(candidate, address);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    } catch {
    } finally {
      server.close();
    }
  }
  throw new Error(`no port is free at ${address}`);
}

async function freeUdpPort(address: string, port: number): Promise<number> {
  for (const candidate of [port, 0]) {
    const socket = createSocket('udp4');
    try {
      socket.bind(candidate, address);
      await once(socket, 'listening');
      return socket.address().port;
    } catch {
    } finally {
      socket.close();
    }
  }
  throw new Error(`no UDP port is free at ${address}`);
}
