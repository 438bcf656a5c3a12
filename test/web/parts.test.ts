import { expect, test } from 'vitest';
import { hearClock, messagesOf, now } from '../../web/api.ts';
import { clock, duration, number, percent, rate, size, titled } from '../../web/model/format.ts';
import { type Live, type Message, merged, nothing } from '../../web/model/live.ts';
import { slotOf, summary } from '../../web/model/series.ts';

const told = (messages: readonly object[], from: Live = nothing) => (messages as Message[]).reduce(merged, from);

test('live: parts come one by one, and only those that have changed are new', () => {
  const first = told([{ bridge: { version: '1' } }, { vm: 'DSM', label: 'NAS', stats: { stale: false } }]);
  expect(first.user).toBeUndefined();
  const more = told([{ user: null }, { vm: 'DSM', stats: { stale: true } }], first);
  expect(more).toMatchObject({ bridge: { version: '1' }, user: null });
  expect(more.vms).toEqual({ DSM: { label: 'NAS', stats: { stale: true } } });
});

test('live: an event counts and is no part', () => {
  const live = told([
    { vm: 'a', label: 'A' },
    { vm: 'a', event: { event_type: 'started' } },
  ]);
  expect(live).toMatchObject({ vms: { a: { label: 'A' } }, events: { a: 1 } });
  expect(live.vms['a']).not.toHaveProperty('event');
});

test('the bridge’s clock is its own, whatever this device’s says; only a step moves it', () => {
  const hear = (ahead: number) => {
    const before = now();
    hearClock(new Date(Date.now() + ahead).toISOString());
    return Math.round((now() - before) / 1_000);
  };
  expect([300, 3_600_000, 3_600_900, 3_599_100, -3_600_000, 0].map(hear)).toEqual([0, 3_600, 0, 0, -7_200, 3_600]);
});

async function heard(pieces: readonly string[]): Promise<unknown[][]> {
  const bytes = pieces.map(piece => new TextEncoder().encode(piece));
  const batches: unknown[][] = [];
  for await (const batch of messagesOf(new Response(ReadableStream.from(bytes)))) batches.push(batch);
  return batches;
}

test('stream: whatever the pieces, the same messages; a comment is a piece without any', async () => {
  const text = ':\n\ndata: {"a":1}\n\ndata: {"b":"data: \u2028é"}\n\n{"c":"data: "}\n{"half":';
  for (const size of [1, 3, 7, text.length]) {
    const batches = await heard(text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []);
    expect(batches.flat()).toEqual([{ a: 1 }, { b: 'data: \u2028é' }, { c: 'data: ' }]);
  }
  expect(await heard([':\n\n', 'data: {"a":1}\n\ndata: {"b":2}\n\n'])).toEqual([[], [{ a: 1 }, { b: 2 }]]);
  await expect(heard(['data: {bad}\n\n'])).rejects.toThrow();
});

test('samples: what is known is summed up; one is asked for each half minute, or once if there is none', () => {
  const at = (second: number) => slotOf(new Date(Date.UTC(2026, 10, 30, 12, 0, second)).toISOString());
  expect([at(1) - at(0), at(29) - at(0), at(30) - at(0), at(90) - at(0), slotOf(null)]).toEqual([0, 0, 1, 3, 0]);
  expect([summary([null]), summary([1, null, 3])]).toEqual([null, { least: 1, mean: 2, most: 3 }]);
});

test('numbers and times as people read them', () => {
  expect([null, 0.4, 43, 250, 3_600, 7_500, 86_400, 273_600].map(duration)).toEqual([
    ...['–', '0 s', '43 s', '4 min 10 s', '1 h', '2 h 5 min', '1 d', '3 d 4 h'],
  ]);
  expect([percent(null), percent(3.44), percent(9.96), percent(99.6)]).toEqual(['–', '3.4 %', '10 %', '100 %']);
  expect([rate(null), rate(0), rate(999), rate(1_234_567), rate(125_000, 'bit/s'), rate(999_999)]).toEqual([
    ...['–', '0 B/s', '999 B/s', '1.2 MB/s', '1.0 Mbit/s', '1.0 MB/s'],
  ]);
  expect([size(null), size(512), size(4 * 2 ** 30), size(32 * 2 ** 30)]).toEqual(['–', '512 B', '4.0 GiB', '32 GiB']);
  expect([number(undefined), number(3.44), number(12.6)]).toEqual(['–', '3.4', '13']);
  const noon = new Date(2026, 10, 30, 12).getTime();
  expect(clock(new Date(2026, 10, 30, 9, 5).toISOString(), noon)).toBe('09:05');
  expect(clock(new Date(2026, 10, 8, 9, 5).getTime(), noon)).toBe('8 Nov, 09:05');
  expect([clock(null, noon), clock('soon', noon)]).toEqual(['–', '–']);
  expect([titled('shutting_down'), titled('booting_dsm'), titled(null)]).toEqual(['Shutting down', 'Booting DSM', '–']);
});
