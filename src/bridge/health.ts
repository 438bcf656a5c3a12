import { createServer, type Server, type ServerResponse } from 'node:http';
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

/** Milliseconds for a request to come. */
const patience = 5_000;
const mostConnections = 16;

export class Health {
  readonly #options: HealthOptions;
  #server: Server | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Resolves when it listens, or when it was told why it cannot; never rejects. */
  async start(): Promise<void> {
    const { host, port, logger } = this.#options;
    const server = createServer({ requestTimeout: patience, headersTimeout: patience, keepAlive: false });
    server.maxConnections = mostConnections;
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

/** `holding`: the base topic is this bridge's. */
export function healthOf({ hypervisor, overdueChecks }: Snapshot, holding: boolean, base: string): HealthReport {
  return {
    base_topic: base,
    broker: holding ? null : 'no session with the broker, or the base topic is still another bridge’s',
    libvirt: hypervisor.up ? null : (hypervisor.reason ?? 'not connected'),
    checks: overdueChecks.length === 0 ? null : `the checks of ${overdueChecks.join(', ')} are overdue`,
  };
}
