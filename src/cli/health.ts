import type { Config } from '../config/config.ts';
import type { HealthReport } from '../servers/health.ts';
import { type ExitCode, exitCode, Refusal } from './outcome.ts';
import { askReady } from './ready.ts';
import type { Output, Terminal } from './terminal.ts';

export interface HealthOptions extends Output {
  config: Config;
  json: boolean;
}

/**
 * `dsm2mqtt health`: asks the bridge on this machine whether it can do its work. 0; 1: it has a problem, or it is
 * another bridge; 3: no bridge answers.
 */
export async function health({ config, json, stdout }: HealthOptions): Promise<ExitCode> {
  const { listen } = config.health;
  if (listen === null) throw new Refusal(exitCode.unreached, "`health.listen` is 'off', so the bridge cannot be asked");
  const url = `http://${listen.host}:${listen.port}/ready`;
  const report = await askReady(listen).catch(({ message }: Error) => {
    throw new Refusal(exitCode.unreached, `${url}: ${message}`);
  });
  if (report.base_topic !== config.mqtt.baseTopic) {
    const words = `is another bridge, of ${report.base_topic}/…: give this one another port in \`health.listen\``;
    throw new Refusal(exitCode.failed, `${url} ${words}`);
  }
  return printed(report, json, stdout);
}

/** Prints this bridge's report. */
export function printed(report: HealthReport, json: boolean, stdout: Terminal): ExitCode {
  const parts = (['broker', 'libvirt', 'checks'] as const).map(part => ({ part, trouble: report[part] ?? 'ok' }));
  const lines = parts.map(({ part, trouble }) => `${part.padEnd(7)}  ${trouble}\n`);
  stdout.write(json ? `${JSON.stringify(report)}\n` : lines.join(''));
  return parts.every(({ trouble }) => trouble === 'ok') ? exitCode.succeeded : exitCode.failed;
}
