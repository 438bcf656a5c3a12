import { expect, test } from 'vitest';
import { unknownDisk, unknownNic, unknownStats } from '../../src/model/stats.ts';
import { clock, duration, percent, rate, size, titled } from '../../web/model/format.ts';
import { clockOffset, delayBefore, isSilent, isWanted, steadied } from '../../web/model/link.ts';
import { isWhole, type Live, merged, nothing, only } from '../../web/model/live.ts';
import { appended, noSamples, samplesOf, summary } from '../../web/model/series.ts';
import { eventCutter, lineCutter } from '../../web/model/stream.ts';

test('live: parts come one by one, and what is no message changes nothing', () => {
  const told = (messages: readonly unknown[], from: Live = nothing) => messages.reduce<Live>(merged, from);
  const whole = told([
    { bridge: { version: '1' } },
    { user: 'anna' },
    { vm: 'DSM', label: 'NAS', commands: [], state: {}, check: {} },
  ]);
  expect(isWhole(whole.vms['DSM'])).toBe(false);
  const more = told([{ vm: 'DSM', stats: { stale: false }, label: 'DiskStation' }], whole);
  expect(isWhole(more.vms['DSM'])).toBe(true);
  expect(more).toMatchObject({ bridge: { version: '1' }, user: 'anna', vms: { DSM: { label: 'DiskStation' } } });
  expect(told([null, 7, 'text', {}, { bridge: null }, { vm: 7 }], more)).toBe(more);
});

test('live: an event counts and is no part; a VM that is no longer named goes', () => {
  const messages = [
    { vm: 'a', label: 'A' },
    { vm: 'b', label: 'B' },
    { vm: 'a', event: { event_type: 'started' } },
  ];
  const live = messages.reduce<Live>(merged, nothing);
  expect(live).toMatchObject({ vms: { a: { label: 'A' }, b: { label: 'B' } }, events: { a: 1 } });
  expect(Object.keys(only(live, new Set(['b'])).vms)).toEqual(['b']);
  expect(only(live, new Set(['a', 'b']))).toBe(live);
});

test('link: silent after 45 s, given up when hidden, tried again later and later', () => {
  expect([isSilent(0, 44_000), isSilent(0, 46_000)]).toEqual([false, true]);
  expect([isWanted(null, 1e9), isWanted(0, 29_000), isWanted(0, 31_000)]).toEqual([true, true, false]);
  expect([0, 1, 2, 3, 9].map(attempt => delayBefore(attempt, 0.5))).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
  expect(delayBefore(0, 0)).toBeLessThan(delayBefore(0, 1));
});

test('link: the bridge’s clock is its own, whatever this device’s says; only a step moves it', () => {
  const at = Date.parse('Mon, 30 Nov 2026 14:00:00 GMT');
  expect(clockOffset('Mon, 30 Nov 2026 14:00:00 GMT', 1_000, 1_200)).toBe(at + 500 - 1_100);
  expect([clockOffset(null, 0, 0), clockOffset('soon', 0, 0)]).toEqual([null, null]);
  expect([steadied(null, 5), steadied(5, 1_900), steadied(5, 3_600_000), steadied(5, null)]).toEqual([
    5, 5, 3_600_000, 5,
  ]);
});

test('stream: whatever the pieces, the same lines and events; comments and bad JSON are left out', () => {
  const text = ':\n\ndata: {"a":1}\n\nevent: x\r\ndata: {"b":\r\ndata: 2}\r\n\r\ndata: {bad\n\ndata: {"c":3}\n\n';
  for (const size of [1, 3, 7, text.length]) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    expect(pieces.flatMap(eventCutter())).toEqual([{ a: 1 }, { b: 2 }, { c: 3 }]);
  }
  const cut = lineCutter();
  expect([cut('a\nb'), cut('c\r'), cut('\n')]).toEqual([['a'], [], ['bc']]);
});

const stats = (seconds: number, cpu = 1) => {
  const sample = unknownStats(new Date(seconds * 1_000).toISOString());
  return { ...sample, cpu: { ...sample.cpu, percent: cpu } };
};

test('samples: a newer one is added, an old one is not, and what is older than the graph goes', () => {
  const first = appended(noSamples, stats(1_000), 3_600);
  expect(first).toMatchObject({ at: [1_000], cpu: [1], memory: [null], read: [null] });
  expect(appended(first, stats(1_000), 3_600)).toBe(first);
  expect(appended(first, { ...stats(1_060), stale: true }, 3_600)).toBe(first);
  expect(appended(first, unknownStats(null), 3_600)).toBe(first);
  expect(appended(first, stats(1_060, 2), 3_600)).toMatchObject({ at: [1_000, 1_060], cpu: [1, 2] });
  expect(appended(first, stats(5_000, 3), 3_600)).toMatchObject({ at: [1_001, 5_000], cpu: [null, 3] });
  expect(appended(first, stats(1_200, 2), 86_400)).toBe(first);
});

test('samples: a pause is a gap, and disks and networks are added up', () => {
  const first = appended(noSamples, stats(1_000), 3_600);
  expect(appended(first, stats(1_300, 2), 3_600)).toMatchObject({ at: [1_000, 1_001, 1_300], cpu: [1, null, 2] });
  const disk = (read: number | null) => ({ ...unknownDisk, read_bytes_per_second: read });
  const nics = { x: { ...unknownNic, tx_bytes_per_second: 9 } };
  const sample = { ...stats(1_060), disks: { sda: disk(1), sdb: disk(2), sdc: disk(null) }, nics };
  expect(appended(first, sample, 3_600)).toMatchObject({ read: [null, 3], write: [null, null], sent: [null, 9] });
});

test('samples: what does not fit together is none', () => {
  expect(samplesOf(null)).toBe(noSamples);
  expect(samplesOf({ at: [1, 2], cpu: [1] })).toBe(noSamples);
  const row = [1];
  const good = { at: row, cpu: row, memory: row, read: row, write: row, received: row, sent: row };
  expect(samplesOf(good)).toEqual(good);
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
  const noon = Date.parse('2026-11-30T12:00:00Z');
  expect(clock('2026-11-30T09:05:00Z', noon, 'UTC')).toBe('09:05');
  expect(clock('2026-11-28T09:05:00Z', noon, 'UTC')).toBe('28 Nov, 09:05');
  expect([clock(null, noon), clock('soon', noon)]).toEqual(['–', '–']);
  expect([titled('shutting_down'), titled('booting_dsm'), titled(null)]).toEqual(['Shutting down', 'Booting DSM', '–']);
});
