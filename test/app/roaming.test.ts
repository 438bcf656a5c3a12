/** One domain that runs on two hosts is told, and one that is on its way from one to the other is not. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Roaming } from '../../src/app/roaming.ts';
import type { Domain } from '../../src/model/domain.ts';
import { State, States } from '../../src/model/state.ts';
import { active, at, offBy, vmOf } from '../model/samples.ts';
import { recorder } from '../mqtt/inbox.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const running = active('running');

/** A VM that two hosts may have. */
function pair() {
  const hosts = ['one', 'two'].map(name => new State({ DSM: vmOf() }, name));
  const log = recorder();
  const roaming = new Roaming(new States(hosts), ['DSM'], log);
  const says = (host: number, domain: Domain | null) =>
    roaming.hear(hosts[host] as State, { type: 'domain', key: 'DSM', domain, at });
  return { says, told: () => log.of('domain.twice'), roaming };
}

test('on both: told once, after no report can be on its way any more', () => {
  const { says, told, roaming } = pair();
  says(0, running);
  says(1, running);
  expect(told()).toEqual([]);
  vi.advanceTimersByTime(3_000);
  says(0, running);
  vi.advanceTimersByTime(60_000);
  expect(told()).toMatchObject([{ level: 'error', vm: 'DSM', hosts: ['one', 'two'] }]);
  roaming.close();
});

test('a migration whose reports come in the wrong order is not that', () => {
  const { says, told, roaming } = pair();
  says(0, running);
  says(1, running);
  vi.advanceTimersByTime(2_000);
  says(0, offBy('migrated'));
  vi.advanceTimersByTime(60_000);
  expect(told()).toEqual([]);
  roaming.close();
});
