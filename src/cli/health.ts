import type { Config } from '../config/config.ts';
import type { HealthReport } from '../servers/health.ts';
import { exitCode } from './outcome.ts';

export interface HealthOptions {
  config: Config;
  json: boolean;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

/** Milliseconds. */
const patience = 3_000;

/**
 * `dsm2mqtt health`: asks the bridge on this machine whether it can do its work. 0; 1: something is the matter with it,
 * or it is another bridge; 3: none answers.
 */
export async function health({ config, json, stdout, stderr }: HealthOptions): Promise<number> {
  const { listen } = config.health;
  if (listen === null) {
    stderr.write("`health.listen` is 'off': there is nobody to ask\n");
    return exitCode.unreached;
  }
  const url = readyUrl(listen);
  let report: HealthReport;
  try {
    report = await askReady(listen);
  } catch (error) {
    const { message, cause } = error as Error;
    stderr.write(`${url}: ${cause instanceof Error ? cause.message : message}\n`);
    return exitCode.unreached;
  }
  const { baseTopic } = config.mqtt;
  if (report.base_topic !== baseTopic) {
    stderr.write(
      `${url} is another bridge, of ${report.base_topic}/…: give this one another port in \`health.listen\`\n`,
    );
    return exitCode.failed;
  }
  const rows = (['broker', 'libvirt', 'checks'] as const).map(part => ({ part, trouble: report[part] }));
  if (json) stdout.write(`${JSON.stringify(report)}\n`);
  else for (const { part, trouble } of rows) stdout.write(`${part.padEnd(8)} ${trouble ?? 'ok'}\n`);
  return rows.every(({ trouble }) => trouble === null) ? exitCode.succeeded : exitCode.failed;
}

/** What the bridge that listens there says of itself. Rejects as `fetch` does. */
export async function askReady(listen: Listen): Promise<HealthReport> {
  const answer = await fetch(readyUrl(listen), { signal: AbortSignal.timeout(patience), redirect: 'error' });
  return (await answer.json()) as HealthReport;
}

type Listen = NonNullable<Config['health']['listen']>;

function readyUrl({ host, port }: Listen): string {
  return `http://${host}:${port}/ready`;
}
