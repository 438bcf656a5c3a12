/** The confirmation window: the ten minutes in which a rebuild needs no confirmation. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Guest } from '../../src/loader/job/parts.ts';
import { tcrp } from '../../src/loader/kinds/tcrp/index.ts';
import { Rebuilds } from '../../src/loader/rebuilds.ts';
import { silent } from '../../src/util/logger.ts';
import { vmConfig } from '../bridge/running.ts';
import { snapshotOf } from '../model/samples.ts';
import { temporary } from './image/images.ts';
import { settings } from './rebuild-world.ts';

const until = '2026-11-26T10:10:00.000Z';
const tenMinutes = 10 * 60_000;

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-26T10:00:00.000Z'), toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** `told`: until when it lasts, at each change. */
async function window() {
  const { folder, ...place } = await temporary();
  const told: (string | null)[] = [];
  const guest: Guest = { address: () => null, identify: async () => 'none', check: async () => null, bootGrace: 0 };
  const { commands, shutdown, reboot } = vmConfig();
  const rebuilds = new Rebuilds({
    vms: [{ key: 'DSM', settings: { ...settings, backupDir: folder }, policy: { commands, shutdown, reboot }, guest }],
    ...{ folder, adapters: () => tcrp, snapshot: () => snapshotOf(), logger: silent },
    emit: event => event.type === 'loader' && told.push(event.loader.armedUntil),
    ...{ open: () => Promise.reject(new Error('libvirt is away')), ref: () => null, local: () => true },
    ...{ line: () => {}, notify: () => {} },
  });
  await rebuilds.recall();
  return { arm: (enabled: boolean) => rebuilds.arm('DSM', enabled), close: () => rebuilds.close(), told, ...place };
}

test('lasts ten minutes, and ends by itself', async () => {
  await using it = await window();
  expect(it.arm(true)).toContain(until);
  vi.advanceTimersByTime(tenMinutes - 1);
  expect(it.told).toEqual([until]);
  vi.advanceTimersByTime(1);
  expect(it.told).toEqual([until, null]);
});

test('begun again, it lasts from then on', async () => {
  await using it = await window();
  it.arm(true);
  vi.advanceTimersByTime(60_000);
  it.arm(true);
  vi.advanceTimersByTime(tenMinutes - 1);
  const later = '2026-11-26T10:11:00.000Z';
  expect(it.told).toEqual([until, later]);
  vi.advanceTimersByTime(1);
  expect(it.told).toEqual([until, later, null]);
});

test('ended, it is told once, and not when there was nothing to end', async () => {
  await using it = await window();
  it.arm(false);
  it.arm(true);
  expect(it.arm(false)).toContain('needs its confirmation');
  it.arm(false);
  vi.advanceTimersByTime(2 * tenMinutes);
  expect(it.told).toEqual([until, null]);
});

test('closed, nothing more is told', async () => {
  await using it = await window();
  it.arm(true);
  const closed = it.close();
  vi.advanceTimersByTime(2 * tenMinutes);
  await closed;
  expect(it.told).toEqual([until]);
});
