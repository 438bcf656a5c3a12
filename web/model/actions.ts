import { type CommandWord, type commands, interruption, type Occupation, rowOf } from '../../src/model/commands.ts';
import type { Vm } from './live.ts';

/** Which commands make sense for a VM as it is, by THE table of commands. Pure. */

export interface Action {
  word: string;
  name: string;
  /** `typed`: the VM's key has to be typed; `asked`: a dialog asks once; `once`: a press is enough. */
  confirm: 'once' | 'asked' | 'typed';
  /** Shown first; the others are behind "More". */
  first: boolean;
}

/** In the order of the buttons. What is not here has a place of its own on the page, or none. */
const buttons = {
  start: ['Start', 'once'],
  shutdown: ['Shut down', 'asked'],
  reboot: ['Reboot', 'asked'],
  resume: ['Resume', 'once'],
  check: ['Check now', 'once'],
  suspend: ['Pause', 'asked'],
  refresh: ['Read again', 'once'],
  reset: ['Reset', 'typed'],
  force_off: ['Cut power', 'typed'],
} as const satisfies Partial<Record<CommandWord, readonly [string, Action['confirm']]>>;

const first: ReadonlySet<string> = new Set(['start', 'shutdown', 'reboot', 'resume']);

type Known = Pick<Vm, 'commands' | 'state' | 'check' | 'loader'>;

export function actionsOf(vm: Known): Action[] {
  return Object.entries(buttons).flatMap(([word, [name, confirm]]) =>
    isPossible(vm, word as CommandWord) ? [{ word, name, confirm, first: first.has(word) }] : [],
  );
}

export function loaderActionsOf(vm: Known): Action[] {
  if (!vm.loader) return [];
  const rebuild: Action = { word: 'rebuild', name: 'Rebuild loader', confirm: 'typed', first: true };
  const rollback: Action = { word: 'rollback', name: 'Roll back', confirm: 'typed', first: true };
  return [rebuild, ...(vm.loader.rollback ? [rollback] : [])].filter(({ word }) => isPossible(vm, word as CommandWord));
}

export function canCancel(vm: Known): boolean {
  const occupation = occupationOf(vm);
  return occupation !== null && vm.commands.includes('cancel') && interruption(occupation, 'cancel') === 'end';
}

function isPossible(vm: Known, word: CommandWord): boolean {
  if (!vm.commands.includes(word)) return false;
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
export const consequences: Readonly<Record<string, string>> = {
  shutdown: 'The guest is asked to power off, and has time to do it.',
  reboot: 'The guest is shut down and started again.',
  suspend: 'The guest stands still until it is resumed. Whoever uses it sees it hang.',
  reset: 'Like the reset button of a machine: what is not written to disk is lost.',
  force_off: 'Like pulling the plug: what is not written to disk is lost, and file systems may be damaged.',
  rebuild: 'The guest is shut down, the loader is backed up and built anew, and the guest is started from it.',
  rollback: 'The guest is shut down, the backup of its loader is written back, and the guest is started from it.',
} satisfies Partial<Record<keyof typeof commands, string>>;
