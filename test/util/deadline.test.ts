import { afterEach, describe, expect, test, vi } from 'vitest';
import { inTime, within } from '../../src/util/deadline.ts';

const never = () => new Promise<never>(() => {});
const still = new AbortController().signal;

afterEach(() => {
  vi.useRealTimers();
});

describe('in time', () => {
  test.each<[string, Promise<string>, number]>([
    ['here', Promise.resolve('here'), 60_000],
    ['late', never(), 1],
  ])('%s', async (expected, promise, milliseconds) => {
    expect(await inTime(promise, milliseconds, 'late', still)).toBe(expected);
  });

  test('raised, before and meanwhile: the signal’s reason', async () => {
    await expect(inTime(never(), 60_000, 'late', AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    const controller = new AbortController();
    const waiting = inTime(never(), 60_000, 'late', controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  test('no timer and no listener is left', async () => {
    vi.useFakeTimers();
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    await inTime(Promise.resolve(), 60_000, 'late', signal);
    expect(vi.getTimerCount()).toBe(0);
    expect([add.mock.calls.length, remove.mock.calls.length]).toEqual([1, 1]);
  });
});

describe('within', () => {
  test('what comes in time', async () => {
    expect(await within(60_000, still, async () => 'here', 'late')).toBe('here');
    await expect(within(60_000, still, () => Promise.reject(new Error('no')), 'late')).rejects.toThrow('no');
  });

  test('what heeds nothing: the other value, and its signal is raised', async () => {
    let heard: AbortSignal | undefined;
    const act = (signal: AbortSignal) => {
      heard = signal;
      return never();
    };
    expect(await within(1, still, act, 'late')).toBe('late');
    expect(heard?.aborted).toBe(true);
  });

  test('what heeds its signal too late for its own reason to count', async () => {
    const act = (signal: AbortSignal) => {
      return new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    expect(await within(1, still, act, 'late')).toBe('late');
  });

  test('what cleans up behind itself is waited for', async () => {
    let clean = false;
    const act = async (signal: AbortSignal) => {
      await new Promise(resolve => signal.addEventListener('abort', resolve));
      await new Promise(setImmediate);
      clean = true;
      return 'done';
    };
    expect(await within(1, still, act, 'late')).toBe('late');
    expect(clean).toBe(true);
  });

  test('given up, before and meanwhile: the signal’s reason', async () => {
    const act = vi.fn(never);
    await expect(within(60_000, AbortSignal.abort(new Error('enough')), act, 'late')).rejects.toThrow('enough');
    expect(act).not.toHaveBeenCalled();
    const controller = new AbortController();
    const waiting = within(60_000, controller.signal, never, 'late');
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
