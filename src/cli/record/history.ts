import { powerLines, readRecord, withBootTimes } from '../../bridge/history.ts';
import type { Config } from '../../config/config.ts';
import { longest, noHistory, type PowerLine, withLines } from '../../model/history/history.ts';
import { lineAge } from '../../util/line-file.ts';
import { findVm } from '../command.ts';
import { type ExitCode, exitCode, Refusal } from '../outcome.ts';
import { align, type Output } from '../terminal.ts';

export interface HistoryOptions extends Output {
  config: Pick<Config, 'vms' | 'dataDir'>;
  vm: string;
  json: boolean;
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
  const rows = powerLines(recent).map(cellsOf);
  const table = rows.length === 0 ? ['  no start and no stop is recorded'] : ['', ...align([headings, ...rows])];
  stdout.write(`${[`${label} (${key})`, `  ${takes(stops, boots)}`, ...table].join('\n')}\n`);
  return exitCode.succeeded;
}

function isLine(line: unknown): line is { at: string } {
  return typeof line === 'object' && line !== null && 'at' in line && typeof line.at === 'string';
}

function takes(stops: readonly number[], boots: readonly number[]): string {
  const text = (seconds: number | null) => (seconds === null ? 'an unknown time' : `up to ${seconds} s`);
  return `a shutdown takes ${text(longest(stops))}, a boot ${text(longest(boots))}`;
}

const headings = ['When', 'What', 'By', 'How', 'Command', 'Took', ''];

function cellsOf({ at, what, by, how, why, seconds, seen }: PowerLine): string[] {
  const when = new Date(at).toLocaleString('sv-SE');
  const took = seconds === null ? '–' : `${seconds.toFixed(1)} s`;
  return [when, what, by ?? '–', how ?? '–', why ?? '–', took, seen ? '' : 'noticed later'];
}
