import { checksLines, isLine, linesToShow, powerLines, readRecord, withBootTimes } from '../../bridge/history.ts';
import type { Config } from '../../config/config.ts';
import { longest, noHistory, withLines } from '../../model/history/history.ts';
import { type Uptime, uptimeFrom } from '../../model/history/uptime.ts';
import { lineAge } from '../../util/line-file.ts';
import { findVm } from '../command.ts';
import { align, type ExitCode, exitCode, Refusal, type Takes } from '../terminal.ts';

export interface HistoryOptions extends Takes<'vm' | 'json'> {
  config: Pick<Config, 'vms' | 'dataDir'>;
  /** Milliseconds since 1970. */
  now?: number;
}

/** `dsm2mqtt history`: prints a VM's record, the newest line first. It reads the files, so it needs no bridge. */
export async function history({ config, vm, json, now = Date.now(), ...output }: HistoryOptions): Promise<ExitCode> {
  const { stdout, stderr } = output;
  const { key, label } = findVm(config, vm);
  const { lines, unreadable } = await readRecord(config.dataDir, key).catch((error: Error) => {
    throw new Refusal(exitCode.failed, `The record of ${key} cannot be read: ${error.message}`, { cause: error });
  });
  if (unreadable > 0) stderr.write(`${unreadable} damaged lines of the record are left out.\n`);
  const isRecent = ({ at }: { at: string }) => now - Date.parse(at) <= lineAge;
  const recent = withBootTimes(lines).filter(isLine).filter(isRecent).reverse();
  if (json) {
    stdout.write(recent.map(line => `${JSON.stringify(line)}\n`).join(''));
    return exitCode.succeeded;
  }
  const { stops, boots } = withLines(noHistory, powerLines(lines));
  const rows = linesToShow(recent).map(cellsOf);
  const table = rows.length === 0 ? ['  no start and no stop is recorded'] : ['', ...align([headings, ...rows])];
  const was = wasUp(uptimeFrom(checksLines(lines), [], now));
  stdout.write(`${[`${label} (${key})`, `  ${takes(stops, boots)}`, ...was, ...table].join('\n')}\n`);
  return exitCode.succeeded;
}

function takes(stops: readonly number[], boots: readonly number[]): string {
  const text = (seconds: number | null) => (seconds === null ? 'an unknown time' : `up to ${seconds} s`);
  return `a shutdown takes ${text(longest(stops))}, a boot ${text(longest(boots))}`;
}

function wasUp({ percent, ms }: Uptime): string[] {
  const text = (value: number | null, unit: string) => (value === null ? '–' : `${value} ${unit}`);
  const parts = (['day', 'week', 'month'] as const).map(period => text(percent[period], '%'));
  if (percent.month === null) return [];
  return [`  over 1, 7 and 30 days it was up ${parts.join(', ')}, and answered in ${text(ms.month, 'ms')}`];
}

const headings = ['When', 'What', 'By', 'How', 'Command', 'Took', ''];

function cellsOf(line: ReturnType<typeof linesToShow>[number]): string[] {
  const when = new Date(line.at).toLocaleString('sv-SE');
  if (line.what === 'verdict') return [when, line.verdict, '–', '–', '–', '–', line.reason];
  if (line.what === 'quiet') {
    const how = line.until === null ? 'over' : `until ${new Date(line.until).toLocaleString('sv-SE')}`;
    return [when, line.what, line.by ?? '–', how, '–', '–', ''];
  }
  const { what, by, seconds } = line;
  const took = seconds === null ? '–' : `${seconds.toFixed(1)} s`;
  if ('result' in line) return [when, what, by ?? '–', line.result, '–', took, ''];
  const { how, why, seen } = line;
  return [when, what, by ?? '–', how ?? '–', why ?? '–', took, seen ? '' : 'noticed later'];
}
