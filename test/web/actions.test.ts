import { expect, test } from 'vitest';
import { commandWords } from '../../src/model/commands.ts';
import { checkDocument, loaderDocument, stateDocument } from '../../src/model/documents.ts';
import { idleLoader } from '../../src/model/loader.ts';
import { emptyVm, type VmSnapshot } from '../../src/model/snapshot.ts';
import { type Action, actionsOf, canCancel, consequences } from '../../web/model/actions.ts';
import type { Vm } from '../../web/model/live.ts';

type State = Vm['state'];

function vm(state: Partial<State>, more: { commands?: readonly string[]; updating?: true; rollback?: true } = {}) {
  const loader = { ...idleLoader({ model: 'DS918+', version: '7' }), rollback: more.rollback === true };
  const snapshot: VmSnapshot = { ...emptyVm('DSM', 'NAS'), loader };
  const check = checkDocument(snapshot);
  return {
    commands: more.commands ?? commandWords,
    state: { ...stateDocument(snapshot), domain: 'DSM', ...state },
    check: more.updating ? { ...check, verdict: 'updating' as const } : check,
    loader: loaderDocument(snapshot),
  };
}

type Known = ReturnType<typeof vm>;
const at = (known: Known, places: readonly Action['at'][]) => places.flatMap(place => actionsOf(known, place));
const words = (known: Known) => at(known, ['first', 'more']).map(({ word }) => word);
const loaderWords = (known: Known) => at(known, ['loader']).map(({ word }) => word);

test('only what makes sense as the VM is', () => {
  const usual = ['check', 'refresh'];
  expect(words(vm({ state: 'running' })).sort()).toEqual(
    [...usual, 'force_off', 'reboot', 'reset', 'shutdown', 'suspend'].sort(),
  );
  expect(words(vm({ state: 'shut_off' })).sort()).toEqual([...usual, 'start'].sort());
  expect(words(vm({ state: 'paused' })).sort()).toEqual([...usual, 'force_off', 'resume'].sort());
  expect(words(vm({ state: 'crashed' })).sort()).toEqual([...usual, 'force_off'].sort());
  expect(words(vm({ domain: null, state: 'unknown' })).sort()).toEqual([...usual].sort());
});

test('only what is permitted; a start resumes where resume is not', () => {
  expect(words(vm({ state: 'running' }, { commands: [] }))).toEqual([]);
  expect(words(vm({ state: 'running' }, { commands: ['shutdown', 'jump'] }))).toEqual(['shutdown']);
  expect(words(vm({ state: 'paused' }, { commands: ['start'] }))).toEqual(['start']);
});

test('quiet time can be set whatever the VM is at, where it is permitted', () => {
  expect(at(vm({ state: 'running', phase: 'calling' }), ['quiet'])).toMatchObject([
    { word: 'quiet', confirm: 'asked' },
  ]);
  expect(at(vm({ state: 'running' }, { commands: ['start'] }), ['quiet'])).toEqual([]);
});

test('while DSM updates, nothing breaks it off but the power cut', () => {
  expect(words(vm({ state: 'running' }, { updating: true }))).not.toContain('reset');
  expect(words(vm({ state: 'running' }, { updating: true }))).toContain('force_off');
  expect(loaderWords(vm({ state: 'running' }, { updating: true }))).toEqual([]);
});

test('while a job is under way: its cancel, and what may take its place', () => {
  const shutting = vm({ state: 'running', activity: 'shutting_down', phase: 'waiting_for_guest' });
  expect(canCancel(shutting)).toBe(true);
  expect(words(shutting)).toContain('force_off');
  expect(words(shutting)).not.toContain('shutdown');
  expect(words(shutting)).not.toContain('reboot');
  expect(canCancel(vm({ state: 'running', phase: 'calling' }))).toBe(false);
  expect(canCancel(vm({ state: 'running', activity: 'rebuilding' }))).toBe(true);
  expect(canCancel(vm({ state: 'running' }))).toBe(false);
  expect(canCancel(vm({ state: 'running', activity: 'rebuilding' }, { commands: ['shutdown'] }))).toBe(false);
});

test('a loader can be rebuilt, and rolled back when there is a backup; both are typed', () => {
  expect(loaderWords(vm({ state: 'running' }))).toEqual(['rebuild']);
  const both = at(vm({ state: 'shut_off' }, { rollback: true }), ['loader']);
  expect(both.map(({ word, confirm }) => `${word} ${confirm}`)).toEqual(['rebuild typed', 'rollback typed']);
});

test('what loses data is typed, and each dialog says what it does', () => {
  const all = at(vm({ state: 'running' }, { rollback: true }), ['first', 'quiet', 'more', 'loader']);
  const typed = all.filter(({ confirm }) => confirm === 'typed').map(({ word }) => word);
  expect(typed.sort()).toEqual(['force_off', 'rebuild', 'reset', 'rollback']);
  expect(all.filter(({ confirm, word }) => confirm !== 'once' && !consequences[word])).toEqual([]);
});
