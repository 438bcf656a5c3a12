import { join } from 'node:path';
import { bootStore, compare } from '../../boot/recording.ts';
import type { Config } from '../../config/config.ts';
import { type Boot, bootPhases } from '../../model/boot.ts';
import { silent } from '../../util/logger.ts';
import { findVm } from '../command.ts';
import { askControl } from '../control.ts';
import { type ExitCode, exitCode, print, Refusal, type Takes } from '../terminal.ts';

export interface BootOptions extends Takes<'vm' | 'json' | 'signal'> {
  config: Pick<Config, 'vms' | 'dataDir'>;
  follow: boolean;
  last: boolean;
  diff: boolean;
}

/** Milliseconds until the bridge must answer. */
const patience = 5_000;

/** `dsm2mqtt boot`: prints a recorded boot from its file, or follows one in the bridge. 1: none is recorded; 3: no bridge. */
export async function boot(options: BootOptions): Promise<ExitCode> {
  const { config, vm, follow, last, diff, stderr, signal } = options;
  if (Number(follow) + Number(last) + Number(diff) > 1)
    throw new Refusal(exitCode.usage, 'only one of --last, --diff and --follow');
  const { key, label } = findVm(config, vm);
  if (follow) {
    const path = join(config.dataDir, 'control.sock');
    let told = false;
    const waiting = `${label} (${key}): the boot that goes on, or the next one, until it ends. Ctrl-C stops listening.`;
    try {
      for await (const answer of askControl(path, key, '', { patience, what: 'boot', signal })) {
        const { lines, message } = answer as { lines?: string[]; message?: string };
        if (lines === undefined) throw new Error(message);
        if (lines.length === 0 && !told) stderr.write(`${waiting}\n`);
        told = true;
        if (lines.length > 0) print(options, { lines }, lines.join('\n'), 0);
      }
      return exitCode.succeeded;
    } catch (error) {
      if (signal.aborted) return exitCode.interrupted;
      throw new Refusal(exitCode.unreached, (error as Error).message, { cause: error });
    }
  }
  const missing = (words: string) => new Refusal(exitCode.failed, `${label} (${key}): ${words}`);
  const troubles: string[] = [];
  const warn = ({ path, reason = 'damaged, or of another version' }: { path?: string; reason?: string }) => {
    troubles.push(`${path} cannot be read: ${reason}`);
  };
  const boots = await bootStore(config.dataDir, key, { ...silent, warn }).load();
  if (troubles[0]) throw missing(troubles[0]);
  if (!boots.last)
    throw missing(
      'no boot is recorded yet. The bridge records one that it sees begin, and keeps it when it has ended; --follow shows it live.',
    );
  if (!diff) {
    const { lines } = boots.last;
    print(options, boots.last, `${label} (${key})\n${summary(boots.last)}\n\n${lines.join('\n')}`, 0);
  } else if (!boots.good)
    throw missing('no good boot is recorded yet to compare with; without --diff it prints the last one.');
  else {
    const { common, here, there } = compare(boots.last.lines, boots.good.lines);
    const both = common === null ? 'No line is in both.' : `The last line that is in both:\n  ${common}`;
    const rest = [...here.map(line => `+ ${line}`), ...there.map(line => `- ${line}`)];
    const text = `${both}\nThen the last boot has + and the good one of ${boots.good.startedAt} has -:\n${rest.join('\n')}`;
    print(options, { common, last: here, good: there }, text, 0);
  }
  return exitCode.succeeded;
}

function summary({ startedAt, endedAt, result, source, phases }: Boot): string {
  const when = new Date(startedAt).toLocaleString('sv-SE');
  const from =
    source === null
      ? 'nothing was read: `boot.unread` in the log of the bridge may say why'
      : `from the ${source === 'log' ? 'serial log' : 'console'}`;
  const times = bootPhases.flatMap(phase => (phases[phase] === null ? [] : `${phase} ${phases[phase]} s`));
  const ended = endedAt === null ? 'goes on' : 'ended';
  return [`  ${when}: ${result ?? ended}, ${from}`, ...(times.length > 0 ? [`  ${times.join(', ')}`] : [])].join('\n');
}
