/** What several servers' answers come to; and that nobody is waited for without end. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Known } from '../../../src/loader/plan/finding.ts';
import { sourcesReachable } from '../../../src/loader/plan/world.ts';
import { within } from '../../../src/util/deadline.ts';
import { soon } from '../image/images.ts';

const never = () => new Promise<never>(() => {});

afterEach(() => {
  vi.useRealTimers();
});

describe('the sources', () => {
  test.each<[Known[], Known]>([
    [['yes', 'yes', 'yes'], 'yes'],
    [['yes', 'no', 'yes'], 'no'],
    [['unknown', 'no', 'yes'], 'no'],
    [['yes', 'yes', 'unknown'], 'unknown'],
  ])('%s: %s', async (answers, expected) => {
    const asked: string[] = [];
    const reach = async (host: string) => answers[asked.push(host) - 1] ?? 'yes';
    expect(await sourcesReachable({ reach }, soon())).toBe(expected);
    expect(asked).toEqual(['github.com', 'raw.githubusercontent.com', 'global.download.synology.com']);
  });

  test('that say nothing, or cannot be asked, all at once: unknown after 5 s', async () => {
    vi.useFakeTimers();
    const found = sourcesReachable({ reach: never }, new AbortController().signal);
    // And one more for whoever would clean up.
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await found).toBe('unknown');
    const reach = () => Promise.reject(new Error('x'));
    expect(await sourcesReachable({ reach }, new AbortController().signal)).toBe('unknown');
  });
});

describe('within', () => {
  test('what comes in time', async () => {
    expect(await within(60_000, soon(), async () => 'here', 'late')).toBe('here');
    await expect(within(60_000, soon(), () => Promise.reject(new Error('no')), 'late')).rejects.toThrow('no');
  });

  test('what heeds nothing: the other value, and its signal is raised', async () => {
    let heard: AbortSignal | undefined;
    const act = (signal: AbortSignal) => {
      heard = signal;
      return never();
    };
    expect(await within(1, new AbortController().signal, act, 'late')).toBe('late');
    expect(heard?.aborted).toBe(true);
  });

  test('what heeds its signal too late for its own reason to count', async () => {
    const act = (signal: AbortSignal) => {
      return new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    expect(await within(1, new AbortController().signal, act, 'late')).toBe('late');
  });

  test('what cleans up behind itself is waited for', async () => {
    let clean = false;
    const act = async (signal: AbortSignal) => {
      await new Promise(resolve => signal.addEventListener('abort', resolve));
      await new Promise(setImmediate);
      clean = true;
      return 'done';
    };
    expect(await within(1, new AbortController().signal, act, 'late')).toBe('late');
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
