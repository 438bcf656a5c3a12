import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Snapshot } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';

/**
 * Tells supervisors how the bridge is, over HTTP: `/health` that the process lives, `/ready` whether it can do its work.
 * Nothing can be changed here.
 */

export interface HealthOptions {
  host: string;
  port: number;
  report: () => HealthReport;
  logger: Logger;
}

/** Null: nothing is the matter; else what is, in words. */
export interface HealthReport {
  base_topic: string;
  broker: string | null;
  libvirt: string | null;
  checks: string | null;
}

/** Milliseconds for a request to come, and between looks at who has not sent one. */
const patience = 5_000;
const glance = 1_000;
/** Each is answered as soon as it has asked: with more, the oldest is one that says nothing. */
const mostConnections = 64;

export class Health {
  readonly #options: HealthOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Resolves when it listens, or when it was told why it cannot; never rejects. */
  async start(): Promise<void> {
    const { host, port, logger } = this.#options;
    const times = { requestTimeout: patience, headersTimeout: patience, connectionsCheckingInterval: glance };
    const server = createServer({ ...times, keepAlive: false });
    server.on('connection', socket => this.#welcome(socket));
    server.on('request', ({ method, url }, response) => this.#answer(method ?? '', url ?? '', response));
    this.#server = server;
    const failed = (error: Error) => {
      logger.warn(
        { event: 'health.unavailable', reason: error.message },
        'no health endpoint: give `health.listen` another port, or `off`',
      );
    };
    await new Promise<void>(resolve => {
      server.on('error', error => {
        failed(error);
        resolve();
      });
      server.listen({ host, port }, resolve);
    });
  }

  /** Where it listens; null: it does not. */
  get port(): number | null {
    const address = this.#server?.address();
    return typeof address === 'object' && address ? address.port : null;
  }

  /** Idempotent. */
  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  #welcome(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#sockets.size > mostConnections) this.#sockets.values().next().value?.destroy();
  }

  #answer(method: string, url: string, response: ServerResponse): void {
    const [path] = url.split('?');
    const { status, body } =
      method === 'GET' || method === 'HEAD'
        ? this.#look(path ?? '')
        : { status: 405, body: { error: 'this is only for GET and HEAD' } };
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(`${JSON.stringify(body)}\n`);
  }

  #look(path: string): { status: number; body: object } {
    if (path === '/health') return { status: 200, body: { status: 'alive' } };
    if (path !== '/ready') return { status: 404, body: { error: 'there are /health and /ready' } };
    const report = this.#options.report();
    const { broker, libvirt, checks } = report;
    const ready = broker === null && libvirt === null && checks === null;
    return { status: ready ? 200 : 503, body: { status: ready ? 'ready' : 'not ready', ...report } };
  }
}

/** `broker`: why nothing can be published, or null. */
export function healthOf({ hypervisor, overdueChecks }: Snapshot, broker: string | null, base: string): HealthReport {
  return {
    base_topic: base,
    broker,
    libvirt: hypervisor.up ? null : (hypervisor.reason ?? 'not connected'),
    checks: overdueChecks.length === 0 ? null : `the checks of ${overdueChecks.join(', ')} are overdue`,
  };
}
