import type { Config } from '../config/config.ts';
import type { HealthReport } from '../servers/health.ts';
import { type ExitCode, exitCode, Refusal } from './outcome.ts';
import { align, type Output } from './terminal.ts';

export interface HealthOptions extends Output {
  config: Config;
  json: boolean;
}

/** Milliseconds. */
const patience = 3_000;

/**
 * `dsm2mqtt health`: asks the bridge on this machine whether it can do its work. 0; 1: it has a problem, or it is
 * another bridge; 3: no bridge answers.
 */
export async function health({ config, json, stdout }: HealthOptions): Promise<ExitCode> {
  const { listen } = config.health;
  if (listen === null) throw new Refusal(exitCode.unreached, "`health.listen` is 'off', so the bridge cannot be asked");
  const url = readyUrl(listen);
  const report = await askReady(listen).catch(({ message, cause }: Error) => {
    throw new Refusal(exitCode.unreached, `${url}: ${cause instanceof Error ? cause.message : message}`);
  });
  if (report.base_topic !== config.mqtt.baseTopic) {
    const words = `is another bridge, of ${report.base_topic}/…: give this one another port in \`health.listen\``;
    throw new Refusal(exitCode.failed, `${url} ${words}`);
  }
  const parts = (['broker', 'libvirt', 'checks'] as const).map(part => [part, report[part] ?? 'ok']);
  stdout.write(json ? `${JSON.stringify(report)}\n` : `${align(parts, '').join('\n')}\n`);
  return parts.every(([, trouble]) => trouble === 'ok') ? exitCode.succeeded : exitCode.failed;
}

/** The report of the bridge that listens there. Rejects as `fetch` does. */
export async function askReady(listen: Listen): Promise<HealthReport> {
  const answer = await fetch(readyUrl(listen), { signal: AbortSignal.timeout(patience), redirect: 'error' });
  return (await answer.json()) as HealthReport;
}

type Listen = NonNullable<Config['health']['listen']>;

function readyUrl({ host, port }: Listen): string {
  return `http://${host}:${port}/ready`;
}
