/** When a boot is told, and when a picture is taken: the decisions, without a console. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Input, Recorder } from '../../src/boot/recorder.ts';
import { type KeptBoots, noBoots } from '../../src/boot/recording.ts';
import type { Boot } from '../../src/model/boot.ts';
import type { Check, Verdict } from '../../src/model/check.ts';
import { noHistory } from '../../src/model/history/history.ts';
import type { VmSnapshot } from '../../src/model/snapshot.ts';
import { at, checkOf, domain, off, vmOf } from '../model/samples.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function stage({ was = noBoots, boots = [] as number[] } = {}) {
  let vm: VmSnapshot = vmOf({ history: { ...noHistory, boots } });
  const told: Boot[] = [];
  const saved: KeptBoots[] = [];
  const consoles: { into: Input; signal: AbortSignal }[] = [];
  const picture = vi.fn();
  const recorder = new Recorder({
    ...{ vm: () => vm, grace: 900_000, was, picture, known: () => [] },
    save: kept => saved.push(kept),
    tell: boot => told.push(boot),
    read: (into, signal) => consoles.push({ into, signal }),
  });
  const become = (changes: Partial<VmSnapshot>, event: Parameters<Recorder['hear']>[0]) => {
    const before = vm;
    vm = { ...vm, ...changes };
    recorder.hear(event, before);
  };
  let starts = 0;
  return {
    ...{ recorder, told, saved, consoles, picture },
    start: () => {
      starts += 1;
      become({ domain, startedAt: `${at}${starts}` }, { type: 'domain', key: 'DSM', domain, at });
    },
    stop: () => become({ domain: off, startedAt: null }, { type: 'domain', key: 'DSM', domain: off, at }),
    reset: () => become({}, { type: 'rebooted', key: 'DSM', at }),
    check: (verdict: Verdict, more: Partial<Check> = {}) => {
      const check = { ...checkOf(verdict), problem: false, ...more };
      become({ check }, { type: 'checked', key: 'DSM', check, at });
    },
    say: (text: string) => consoles.at(-1)?.into.hear(Buffer.from(`${text}\n`), 'console'),
    results: () => told.map(({ result }) => result),
  };
}

describe('told', () => {
  test('once, when it becomes a problem, and again when it is up', () => {
    const it = stage();
    it.start();
    it.say('panic');
    it.check('booting');
    it.check('unreachable', { problem: true });
    it.check('unreachable', { problem: true });
    expect(it.told).toMatchObject([{ result: 'problem', lines: ['panic'], endedAt: null }]);
    it.check('up');
    it.check('up');
    expect(it.results()).toEqual(['problem', 'ok']);
    expect(it.saved.at(-1)?.good).toMatchObject({ result: 'ok', lines: ['panic'] });
  });

  test('when it takes longer than the others did, once those are five', () => {
    const it = stage({ boots: [60, 62, 64, 66, 68] });
    it.start();
    it.say('x');
    it.check('booting');
    vi.advanceTimersByTime(67_900);
    expect(it.told).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(it.results()).toEqual(['slow']);
    expect(it.picture).toHaveBeenCalledTimes(1);
  });

  test.each([[[60, 62, 64, 66]], [[]]])('with fewer than five, the time does not tell: %j', boots => {
    const it = stage({ boots });
    it.start();
    it.check('booting');
    vi.advanceTimersByTime(800_000);
    expect(it.told).toEqual([]);
  });

  test('the time does not tell either while nobody checks', () => {
    const it = stage({ boots: [1, 1, 1, 1, 1] });
    it.start();
    vi.advanceTimersByTime(900_001);
    expect(it.told).toEqual([]);
    expect(it.consoles[0]?.signal.aborted).toBe(true);
  });

  test('not of a VM that is meant to be off', () => {
    const it = stage();
    it.start();
    it.check('booting', { problem: true, expected: 'off' });
    expect(it.told).toEqual([]);
  });

  test('a stop that nobody wanted is told as that, with the last words', () => {
    const it = stage();
    it.start();
    it.stop();
    it.say('BUG');
    vi.advanceTimersByTime(1_000);
    it.check('crashed', { problem: true });
    it.check('crashed', { problem: true });
    expect(it.told).toMatchObject([{ result: 'stopped', lines: ['BUG'] }]);
    expect(it.picture).not.toHaveBeenCalled();
  });

  test('again by the next bridge', () => {
    const first = stage();
    first.start();
    first.check('unreachable', { problem: true });
    first.recorder.close();
    const next = stage({ was: first.saved.at(-1) ?? noBoots });
    next.recorder.start();
    expect(next.results()).toEqual(['problem']);
  });
});

describe('read', () => {
  test('until DSM is up, and anew after a reset', () => {
    const it = stage();
    it.start();
    it.check('up');
    expect(it.consoles.map(({ signal }) => signal.aborted)).toEqual([true]);
    it.reset();
    expect(it.consoles.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });

  test('on, when it restarts while it boots', () => {
    const it = stage();
    it.start();
    it.say('one');
    it.reset();
    it.reset();
    it.check('installer', { problem: true });
    expect(it.consoles).toHaveLength(1);
    expect(it.told[0]?.lines).toEqual(['one', '--- the guest restarted ---']);
  });

  test('what a console says after the end is not of this boot', () => {
    const it = stage();
    it.start();
    it.check('up');
    it.say('late');
    expect(it.saved.at(-1)?.last?.lines).toEqual([]);
  });

  test('and followed: what there was, what comes, the end', () => {
    const it = stage();
    const heard: unknown[] = [];
    it.start();
    it.say('one');
    const stop = it.recorder.follow(lines => heard.push(lines));
    it.say('two');
    it.check('up');
    stop();
    it.start();
    it.say('three');
    expect(heard).toEqual([['one'], ['two'], null]);
  });
});

describe('a picture', () => {
  test.each<[string, Verdict, number]>([
    ['Linux version 4.4', 'unreachable', 1],
    ['nothing that is known', 'unreachable', 1],
    ['Linux version 4.4', 'loader', 0],
    ['TCRP Friend Version : 1', 'unreachable', 0],
    ['', 'unreachable', 0],
  ])('%s, %s: %i', (line, verdict, count) => {
    const it = stage();
    it.start();
    if (line !== '') it.say(line);
    it.check(verdict, { problem: true });
    expect(it.picture).toHaveBeenCalledTimes(count);
  });
});
