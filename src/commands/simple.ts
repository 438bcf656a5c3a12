import { failed, type Outcome, rejected, succeeded } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import type { BesideWord } from '../model/commands.ts';
import type { CallFailure } from '../model/job/job.ts';
import type { VmKey } from '../model/snapshot.ts';

/** Commands that need no job; each resolves to what the response says. */
export type SimpleCommands = Readonly<
  Record<BesideWord, (key: VmKey, command: Command) => Promise<string | CallFailure>>
>;

/** More at once, for one VM, would be a flood. */
export const mostSimple = 4;

export function simpleOutcome(said: string | CallFailure | Error): Outcome {
  if (typeof said === 'string') return succeeded('done', said);
  if (said instanceof Error) return failed('outcome_unknown', said.message);
  if (said.kind === 'rejected') return rejected(said);
  return failed(said.kind === 'failed' ? said.code : 'outcome_unknown', said.message);
}
