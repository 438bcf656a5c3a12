/** What the order of VMs makes of a bridge that starts anew while all is up. */
import { expect, test } from 'vitest';
import { Order } from '../../src/app/order.ts';
import type { Check } from '../../src/model/check.ts';
import { noHistory } from '../../src/model/history/history.ts';
import { emptyVm, type VmSnapshot } from '../../src/model/snapshot.ts';
import { State, States } from '../../src/model/state.ts';
import { vmConfig } from '../bridge/running.ts';
import { at, checkOf } from '../model/samples.ts';

const up = checkOf('up');

/**
 * Commands that it gives when DSM is found up, while a VM after it is off. `known`: of DSM, when it begins. `due`: what the
 * bridge before had still to start.
 */
function given(known: Check | null, due: readonly string[] = []): string[] {
  const history = { ...noHistory, last: { what: 'start' } } as unknown as VmSnapshot['history'];
  const off = { active: false } as VmSnapshot['domain'];
  const isMissed = checkOf('off');
  const state = new State({
    DSM: { ...emptyVm('DSM', 'DSM'), history, check: known, seen: true },
    box: { ...emptyVm('box', 'box'), domain: off, check: isMissed, seen: true },
  });
  state.dispatch({ type: 'hypervisor_up', info: { hostname: 'h', libvirt: '9', hypervisor: 'q' } });
  const commands: string[] = [];
  const order = new Order({
    vms: [vmConfig(), vmConfig({ key: 'box', after: ['DSM'] })],
    states: new States([state]),
    dispatcherOf: () => ({ submit: ({ key, command }) => commands.push(`${command} ${key}`), release: () => {} }),
    due,
  });
  state.subscribe((event, before) => order.hear(event, before, state));
  state.dispatch({ type: 'checked', key: 'DSM', check: up, at });
  return commands;
}

test('it has started, and is up for the first time: those after it start', () => {
  expect(given(null)).toEqual(['start box']);
});

test('it was up already: what has been stopped since stays off', () => {
  expect(given(up)).toEqual([]);
});

test('it was up already, and the bridge before had still to start one: it starts, and one that is not there any more does not', () => {
  expect(given(up, ['box', 'gone'])).toEqual(['start box']);
});
