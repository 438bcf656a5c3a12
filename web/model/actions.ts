import { type CommandWord, interruption, type Occupation, rowOf } from '../../src/model/commands.ts';
import type { Vm } from './live.ts';

/** Which commands make sense for a VM as it is, by THE table of commands. Pure. */

export interface Action {
  word: CommandWord;
  name: string;
  /** `typed`: the VM's key has to be typed; `asked`: a dialog asks once; `once`: a press is enough. */
  confirm: 'once' | 'asked' | 'typed';
  /** Where its button is; `more`: behind "More". */
  at: 'first' | 'quiet' | 'more' | 'loader';
}

/** In the order of the buttons. What is not here has a place of its own on the page, or none. */
const buttons: readonly Action[] = [
  { word: 'start', name: 'Start', confirm: 'once', at: 'first' },
  { word: 'shutdown', name: 'Shut down', confirm: 'asked', at: 'first' },
  { word: 'reboot', name: 'Reboot', confirm: 'asked', at: 'first' },
  { word: 'resume', name: 'Resume', confirm: 'once', at: 'first' },
  { word: 'quiet', name: 'Quiet time', confirm: 'asked', at: 'quiet' },
  { word: 'check', name: 'Check now', confirm: 'once', at: 'more' },
  { word: 'suspend', name: 'Pause', confirm: 'asked', at: 'more' },
  { word: 'refresh', name: 'Read again', confirm: 'once', at: 'more' },
  { word: 'reset', name: 'Reset', confirm: 'typed', at: 'more' },
  { word: 'force_off', name: 'Cut power', confirm: 'typed', at: 'more' },
  { word: 'rebuild', name: 'Rebuild loader', confirm: 'typed', at: 'loader' },
  { word: 'rollback', name: 'Roll back', confirm: 'typed', at: 'loader' },
];

type Known = Pick<Vm, 'commands' | 'state' | 'check' | 'loader'>;

export function actionsOf(vm: Known, at: Action['at']): Action[] {
  return buttons.filter(action => action.at === at && isPossible(vm, action.word));
}

export function canCancel(vm: Known): boolean {
  const occupation = occupationOf(vm);
  return occupation !== null && vm.commands.includes('cancel') && interruption(occupation, 'cancel') === 'end';
}

function isPossible(vm: Known, word: CommandWord): boolean {
  if (!vm.commands.includes(word) || (word === 'rollback' && !vm.loader?.rollback)) return false;
  const { means, whileUpdating } = rowOf(word);
  const { state, domain } = vm.state;
  const meaning = means?.[domain === null ? 'absent' : state] ?? 'do';
  if (typeof meaning === 'object') return false;
  // Start and resume are the same there.
  if (word === 'start' && meaning === 'resume' && vm.commands.includes('resume')) return false;
  if (whileUpdating && vm.check.verdict === 'updating') return false;
  const occupation = occupationOf(vm);
  return occupation === null || !['busy', 'amend'].includes(interruption(occupation, word));
}

/** What holds the VM's one job place; null: nothing. */
function occupationOf({ state: { activity, phase } }: Pick<Vm, 'state'>): Occupation | null {
  if (activity === 'rebuilding' || activity === 'rolling_back') return 'rebuild';
  if (phase === 'pausing') return 'waiting';
  if (phase === 'calling' || activity === 'starting') return 'call';
  if (activity === 'shutting_down') return 'shutdown';
  return activity === 'rebooting' ? 'reboot' : null;
}

/** What the dialog says that a command does. */
export const consequences: Partial<Record<CommandWord, string>> = {
  shutdown: 'The guest is asked to power off, and has time to do it.',
  reboot: 'The guest is shut down and started again.',
  suspend: 'The guest stands still until it is resumed. Whoever uses it sees it hang.',
  quiet: 'Until then a problem raises no alarm. The checks go on, and the timeline says that it was quiet.',
  reset: 'Like the reset button of a machine: what is not written to disk is lost.',
  force_off: 'Like pulling the plug: what is not written to disk is lost, and file systems may be damaged.',
  rebuild: 'The guest is shut down, the loader is backed up and built anew, and the guest is started from it.',
  rollback: 'The guest is shut down, the backup of its loader is written back, and the guest is started from it.',
};
