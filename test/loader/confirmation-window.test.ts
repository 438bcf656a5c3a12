import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ConfirmationWindow } from '../../src/loader/confirmation-window.ts';
import { systemClock } from '../../src/util/clock.ts';

const at = '2026-11-26T10:00:00.000Z';
const until = '2026-11-26T10:10:00.000Z';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(at) });
});
afterEach(() => {
  vi.useRealTimers();
});

function confirmation() {
  const told: (string | null)[] = [];
  const it = new ConfirmationWindow(systemClock, change => told.push(change));
  return { it, told };
}

test('lasts ten minutes, and ends by itself', () => {
  const { it, told } = confirmation();
  expect(it.begin()).toBe(until);
  vi.advanceTimersByTime(10 * 60_000 - 1);
  expect(it.until).toBe(until);
  vi.advanceTimersByTime(1);
  expect(it.until).toBeNull();
  expect(told).toEqual([until, null]);
});

test('begun again, it lasts from then on', () => {
  const { it, told } = confirmation();
  it.begin();
  vi.advanceTimersByTime(60_000);
  const later = it.begin();
  vi.advanceTimersByTime(10 * 60_000 - 1);
  expect(it.until).toBe(later);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([until, later, null]);
});

test('ended, it is told once, and not when there was nothing to end', () => {
  const { it, told } = confirmation();
  it.end();
  it.begin();
  it.end();
  it.end();
  vi.advanceTimersByTime(20 * 60_000);
  expect(told).toEqual([until, null]);
});

test('closed, nothing more is told', () => {
  const { it, told } = confirmation();
  it.begin();
  it.close();
  vi.advanceTimersByTime(20 * 60_000);
  expect(told).toEqual([until]);
});
