import { connect } from 'node:net';
import type { Config } from '../config/config.ts';
import type { HealthReport } from '../servers/health.ts';

export type Listen = NonNullable<Config['health']['listen']>;

/** Milliseconds. */
const patience = 3_000;
/** Bytes. */
const longestAnswer = 65_536;

/**
 * The report of the bridge that listens there. Rejects with an `Error` that says why there is none. HTTP/1.0 by hand:
 * `node:http` would be most of what a health check costs.
 */
export async function askReady({ host, port }: Listen): Promise<HealthReport> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port });
  const late = setTimeout(() => reject(new Error(`no answer within ${patience / 1_000} s`)), patience);
  const chunks: Buffer[] = [];
  try {
    socket.on('data', chunk => {
      chunks.push(chunk);
      if (socket.bytesRead > longestAnswer) reject(new Error('the answer is too long to be a bridge’s'));
    });
    socket.on('error', reject).on('close', () => resolve());
    socket.write('GET /ready HTTP/1.0\r\n\r\n');
    await promise;
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
  const [, body = ''] = /^HTTP\/1\.[01] (?:200|503) .*?\r\n\r\n(.*)$/s.exec(Buffer.concat(chunks).toString()) ?? [];
  try {
    const report = JSON.parse(body) as HealthReport;
    if (typeof report.base_topic === 'string') return report;
  } catch {}
  throw new Error('the answer is not a bridge’s');
}
