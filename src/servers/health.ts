import { libvirtTrouble, overdueIn } from '../model/documents.ts';
import type { States } from '../model/state.ts';
import type { Logger } from '../util/logger.ts';
import { Server } from './server.ts';

/**
 * Tells supervisors the bridge's state, over HTTP: `/health` that the process lives, `/ready` whether it can do its
 * work, and `/metrics` what Prometheus collects. It changes nothing.
 */
export interface HealthOptions {
  host: string;
  port: number;
  report: () => HealthReport;
  /** What Prometheus reads. */
  metrics: () => string;
  logger: Logger;
}

/** Null: all is well; else the problem, in words. */
export interface HealthReport {
  base_topic: string;
  broker: string | null;
  libvirt: string | null;
  checks: string | null;
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
const exposition = 'text/plain; version=0.0.4; charset=utf-8';

export function healthServer({ host, port, report, metrics, logger }: HealthOptions): Server {
  return new Server({
    at: { host, port },
    // Each request is answered at once; if there are more connections, the oldest one is silent.
    mostSilent: 64,
    routes: {
      'GET /health': (_, reply) => reply({ status: 'alive' }),
      'GET /ready': (_, reply) => {
        const now = report();
        const ready = isReady(now);
        reply({ status: ready ? 'ready' : 'not ready', ...now }, { status: ready ? 200 : 503 });
      },
      'GET /metrics': (_, reply) => reply(metrics(), { headers: { 'content-type': exposition } }),
    },
    unavailable: reason =>
      logger.warn(
        { event: 'health.unavailable', reason },
        'no health endpoint: give `health.listen` another port, or `off`',
      ),
  });
}

export function isReady({ base_topic: _, ...parts }: HealthReport): boolean {
  return Object.values(parts).every(trouble => trouble === null);
}

/** `broker`: why nothing can be published, or null. */
export function healthOf({ all }: States, broker: string | null, base: string): HealthReport {
  const hosts = all.map(({ snapshot }) => snapshot);
  const overdueChecks = overdueIn(hosts);
  return {
    base_topic: base,
    broker,
    libvirt: hosts.every(({ hypervisor }) => hypervisor.up) ? null : (libvirtTrouble(hosts) ?? 'not connected'),
    checks: overdueChecks.length === 0 ? null : `the checks of ${overdueChecks.join(', ')} are overdue`,
  };
}
