/** Phases, the ring and the comparison with a good boot. */
import { describe, expect, test } from 'vitest';
import { compare, noPhases, Recording, withLine } from '../../src/boot/recording.ts';
import { type Boot, bootPhases, stoppedAfter } from '../../src/model/boot.ts';
import { usual } from '../../src/model/history/history.ts';

const at = new Date('2026-11-30T01:00:00Z');

function recording(good: Boot | null = null, known: readonly string[] = []) {
  let now = 0;
  const recording = new Recording({ startedAt: at, known, good, seconds: () => now });
  const say = (seconds: number, ...lines: string[]) => {
    now = seconds;
    for (const line of lines) recording.hear(Buffer.from(`${line}\n`), 'log');
  };
  return { recording, say };
}

describe('phases', () => {
  test.each([
    ['menu', 'BdsDxe: loading Boot0001 "UEFI QEMU USB HARDDRIVE" from PciRoot(0x0)'],
    ['menu', 'GNU GRUB  version 2.06'],
    ['loader', 'TCRP Friend Version : 0.0.6'],
    ['loader', 'Welcome to RR 25.1.0'],
    ['kernel', '[    0.000000] Linux version 4.4.180+ (root@build1) (gcc version 7.5.0)'],
    ['init', ':: Starting linuxrc.syno'],
    ['init', 'DiskStation login: '],
  ])('%s: %s', (phase, line) => expect(withLine(noPhases, line, 3)).toEqual({ ...noPhases, [phase]: 3 }));

  test('a line of no phase changes nothing', () => {
    expect(withLine(noPhases, '[    1.2] redpill: shim registered', 3)).toBe(noPhases);
  });
  test('the first line of a phase counts, until an earlier one begins anew', () => {
    const { recording: boot, say } = recording();
    say(2, 'GNU GRUB');
    say(4, 'Linux version 6.1 (loader)', 'TCRP Friend Version : 1');
    say(9, 'Linux version 4.4.180+', 'Linux version again');
    say(12, 'linuxrc.syno executed');
    expect(boot.boot.phases).toEqual({ menu: 2, loader: 4, kernel: 9, init: 12, up: null });
    say(20, 'GNU GRUB');
    expect(boot.boot.phases).toEqual({ menu: 20, loader: null, kernel: null, init: null, up: null });
  });
});

describe('a recording', () => {
  test('keeps the newest thousand lines', () => {
    const { recording: boot, say } = recording();
    say(1, ...Array.from({ length: 5_000 }, (_, i) => `line ${i}`));
    expect(boot.boot.lines).toHaveLength(1_000);
    expect(boot.boot.lines.at(-1)).toBe('line 4999');
  });
  test('nothing read, up all the same', () => {
    const { recording: boot, say } = recording();
    say(42.04);
    boot.conclude('ok');
    boot.end(at);
    expect(boot.boot).toEqual({
      ...{ startedAt: at.toISOString(), endedAt: at.toISOString(), result: 'ok', source: null },
      ...{ phases: { ...noPhases, up: 42 }, lines: [], next: [] },
    });
  });
  test('a note stands alone, and once', () => {
    const { recording: boot } = recording();
    boot.hear(Buffer.from('half a line'), 'console');
    boot.note('libvirt is away');
    boot.note('libvirt is away');
    expect(boot.boot.lines).toEqual(['half a line', '--- libvirt is away ---']);
  });
  test('shows what the good boot had next', () => {
    const good = recording();
    good.say(1, '[    0.9] scsi host0: ahci', '[    1.2] md: raid1', '[    1.3] EXT4-fs mounted', 'linuxrc.syno');
    const { recording: boot, say } = recording(good.recording.boot);
    say(1, '[    1.1] scsi host0: ahci', '[    2.8] Kernel panic');
    boot.conclude('problem');
    expect(boot.boot.next).toEqual(['[    1.2] md: raid1', '[    1.3] EXT4-fs mounted', 'linuxrc.syno']);
    boot.conclude('ok');
    expect(boot.boot.next).toEqual([]);
  });
});

describe('compared', () => {
  test('numbers do not count', () => {
    const { common, here, there } = compare(['a line at 0x1f', 'here'], ['a line at 0x2e', 'there']);
    expect([common, here, there]).toEqual(['a line at 0x1f', ['here'], ['there']]);
  });
  test('nothing in common', () => {
    expect(compare(['one'], ['two'])).toEqual({ common: null, here: ['one'], there: ['two'] });
    expect(compare([], [])).toEqual({ common: null, here: [], there: [] });
  });
});

describe('where it stopped', () => {
  const boot: Boot = { ...recording().recording.boot, result: 'problem', lines: ['Kernel panic'] };
  test('in a short sentence', () => {
    expect(stoppedAfter(boot)).toBe('The boot stopped after: Kernel panic');
    expect(stoppedAfter({ ...boot, lines: ['x'.repeat(300)] })).toHaveLength(120);
    expect(stoppedAfter({ ...boot, lines: [`y${'\u{1f600}'.repeat(99)}`] })?.isWellFormed()).toBe(true);
    expect(stoppedAfter({ ...boot, lines: ['\u{1f600}'.repeat(99)] })?.isWellFormed()).toBe(true);
  });
  test.each(['ok', null] as const)('a boot that is %s stopped nowhere', result => {
    expect(stoppedAfter({ ...boot, result })).toBeNull();
  });
  test('without lines nothing is known', () => expect(stoppedAfter({ ...boot, lines: [] })).toBeNull());
});

test('what a boot usually takes is known from five on', () => {
  expect(usual([50, 40, 30, 20])).toBeNull();
  expect(usual([50, 40, 30, 20, 10])).toBe(50);
  expect(usual(Array.from({ length: 100 }, (_, i) => i + 1))).toBe(95);
  expect(bootPhases.at(-1)).toBe('up');
});
