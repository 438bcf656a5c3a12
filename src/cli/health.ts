import { connect } from 'node:net';
import type { Config } from '../config/config.ts';
import type { HealthReport } from '../servers/health.ts';
import { type ExitCode, exitCode, Refusal, type Takes } from './terminal.ts';

export interface HealthOptions extends Takes<'json'> {
  config: { health: Config['health']; mqtt: Pick<Config['mqtt'], 'baseTopic'> };
}

/** Milliseconds. */
const patience = 3_000;
/** Characters. */
const longestAnswer = 65_536;

/**
 * `dsm2mqtt health`: asks the bridge on this machine whether it can do its work. 0; 1: it has a problem, or it is
 * another bridge; 3: no bridge answers.
 */
export async function health({ config, json, stdout }: HealthOptions): Promise<ExitCode> {
  const { listen } = config.health;
  if (listen === null) throw new Refusal(exitCode.unreached, "`health.listen` is 'off', so the bridge cannot be asked");
  const url = `http://${listen.host}:${listen.port}/ready`;
  const report = await askReady(listen).catch(({ message, cause }: Error) => {
    const words = cause instanceof Error ? cause.message : message;
    throw new Refusal(exitCode.unreached, `No bridge answers at ${url}: does it run on this machine? (${words})`);
  });
  if (report.base_topic !== config.mqtt.baseTopic) {
    const words = `is another bridge, of ${report.base_topic}/…: give this one another port in \`health.listen\``;
    throw new Refusal(exitCode.failed, `${url} ${words}`);
  }
  const parts = (['broker', 'libvirt', 'checks'] as const).map(part => ({ part, trouble: report[part] ?? 'ok' }));
  const lines = parts.map(({ part, trouble }) => `${part.padEnd(7)}  ${trouble}\n`);
  stdout.write(json ? `${JSON.stringify(report)}\n` : lines.join(''));
  return parts.every(({ trouble }) => trouble === 'ok') ? exitCode.succeeded : exitCode.failed;
}

/**
 * The report of the bridge that listens there, or an `Error`. HTTP/1.0 by hand: `fetch` or `node:http` would be most of
 * what a health check costs.
 */
export async function askReady({ host, port }: NonNullable<Config['health']['listen']>): Promise<HealthReport> {
  const socket = connect({ host, port, signal: AbortSignal.timeout(patience) }).setEncoding('utf8');
  socket.write('GET /ready HTTP/1.0\r\n\r\n');
  let answer = '';
  for await (const piece of socket) {
    answer += piece;
    if (answer.length > longestAnswer) break;
  }
  const report = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as HealthReport | null;
  if (typeof report?.base_topic === 'string') return report;
  throw new Error("the answer is not a bridge's");
}
