/** What several servers' answers come to; and that nobody is waited for without end. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { tcrp } from '../../../src/loader/kinds/tcrp/index.ts';
import type { Known } from '../../../src/loader/plan/finding.ts';
import { sourcesReachable } from '../../../src/loader/plan/world.ts';
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
    expect(await sourcesReachable({ reach }, tcrp.servers, soon())).toBe(expected);
    expect(asked).toEqual(['github.com', 'raw.githubusercontent.com', 'global.download.synology.com']);
  });

  test('that say nothing, or cannot be asked, all at once: unknown after 5 s', async () => {
    vi.useFakeTimers();
    const found = sourcesReachable({ reach: never }, tcrp.servers, new AbortController().signal);
    // And one more for whoever would clean up.
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await found).toBe('unknown');
    const reach = () => Promise.reject(new Error('x'));
    expect(await sourcesReachable({ reach }, tcrp.servers, new AbortController().signal)).toBe('unknown');
  });
});
