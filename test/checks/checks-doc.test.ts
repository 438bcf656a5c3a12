import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { filled } from '../../scripts/checks-doc.ts';
import { ageOf } from '../../src/checks/diagnosis/evidence.ts';
import { type Facts, messageOf } from '../../src/checks/diagnosis/messages.ts';
import { longest } from '../../src/checks/engine/ask.ts';
import { untilAsleep } from '../../src/checks/engine/disk-idle.ts';
import { retest } from '../../src/checks/engine/retry-times.ts';
import { shapeAt } from '../../src/config/shape.ts';
import { type CheckDocument, checkDocument } from '../../src/model/documents.ts';
import { emptyVm } from '../../src/model/snapshot.ts';
import { parseDuration } from '../../src/util/duration.ts';
import { at, domain, off } from '../model/samples.ts';
import { gone, Ward } from './ward.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(at) });
});
afterEach(() => {
  vi.useRealTimers();
});

const page = await readFile(new URL('../../docs/checks.md', import.meta.url), 'utf8');

const minute = 60_000;
/** Milliseconds that a check may be late. */
const patience = 30_000;
/** Checked by itself, and not soon by the clock. */
const seldom = { schedule: null, deepSchedule: '0 0 1 1 *' };
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const byDefault = (key: string) => String(shapeAt(['vms', 0, 'checks', key])?.default);
const time = (key: string) => parseDuration(byDefault(key)) ?? Number.NaN;

test('what docs/checks.md has from the code is current', () => {
  expect(page).toBe(filled(page));
});

test('so are the times and defaults that its sentences name', async () => {
  expect([byDefault('schedule'), byDefault('deep_schedule')]).toEqual(['* * * * *', '*/15 * * * *']);
  const needed = Number(byDefault('failures_before_down'));
  const follows = await timesToTheNext();
  for (const sentence of [
    '`schedule`, every minute',
    '`deep_schedule`, every 15 minutes',
    `all probes, ${follows.afterPowerOn / 1_000} s after the bridge finds the VM running`,
    `all probes, ${follows.whileBooting / 1_000} s after the last check ended; ${follows.bootingLate / 1_000} s once`,
    `a worse result | all probes, ${retest / 1_000} s later`,
    `\`probe_timeout\` (${time('probe_timeout') / 1_000} s), and a whole check at most ${times(longest(1))} that`,
    `at any of its data disks for ${untilAsleep / minute} minutes`,
    `\`booting\` for \`boot_grace\` (${time('boot_grace') / minute} minutes)`,
    `A DSM that reports an update is one after ${times(patienceForUpdates())} that`,
    `\`failures_before_down\` (${needed}) times in a row, ${retest / 1_000} s apart`,
    `If a check has not ended ${patience / 1_000} s after it should have`,
    'is `unreachable` within two minutes',
  ]) {
    expect(page).toContain(sentence);
  }
  expect([await isOverdue(patience), await isOverdue(patience + 1)]).toEqual([false, true]);
  const worst = minute + needed * longest(time('probe_timeout')) + (needed - 1) * retest;
  expect(worst).toBeLessThan(2 * minute);
});

test('its examples say what the code says', () => {
  const example: CheckDocument = JSON.parse(fenced('json'));
  const keys = ({ probes, dsm, ...rest }: CheckDocument) =>
    [rest, probes, ...Object.values(probes), dsm].map(Object.keys);
  expect(keys(example)).toEqual(keys(checkDocument(emptyVm('DSM', 'DSM'))));
  const known = { ...facts, bridge: example.probes.bridge.explanation ?? '' };
  expect([example.cause, messageOf('link_down', known)]).toEqual([
    'link_down',
    { reason: example.reason, next: example.next_step },
  ]);
  const { reason, next } = messageOf('recoverable', facts);
  expect(fenced('console')).toContain(`DSM (DSM): recoverable\n  ${reason}\n  → ${next}\n`);
});

const facts: Facts = {
  ...{ domain: 'DSM', address: '10.99.0.20', port: 5_000, ports: [5_000, 5_001, 445], closed: [] },
  ...{ mac: '52:54:00:d5:30:01', tap: 'vnet0', source: 'br0', age: null, grace: 15 * minute },
  ...{ bridge: '', neighbour: '', web: '', instead: '' },
};

function fenced(language: string): string {
  return new RegExp(`\`\`\`${language}\n(.+?)\`\`\``, 's').exec(page)?.[1] ?? '';
}

function times(count: number): string {
  return count === 4 ? 'four times' : `${count} times`;
}

/** Milliseconds from power on, and from the end of a check, to the next one. */
async function timesToTheNext() {
  const ward = new Ward({ ...seldom, bootGrace: 10 * minute }).begin(off);
  ward.world = { ...gone, discovery: 'booting' };
  ward.seen(domain);
  const wait = () => Date.parse(ward.check.nextAt ?? '') - Date.parse(ward.check.checkedAt ?? at);
  const afterPowerOn = wait();
  await pass(afterPowerOn);
  const whileBooting = wait();
  await pass(11 * minute);
  ward.checks.close();
  return { afterPowerOn, whileBooting, bootingLate: wait() };
}

/** Whether a check is told to be overdue so many milliseconds after it should have ended. */
async function isOverdue(late: number): Promise<boolean> {
  vi.setSystemTime(at);
  const probeTimeout = 1_000;
  const ward = new Ward({ schedule: '* * * * *', probeTimeout }).begin();
  const looks = 10_000;
  await pass(2 * looks - 1_000);
  const next = Date.parse(ward.check.nextAt ?? '') - Date.now();
  ward.skipped = next + longest(probeTimeout) + late - 1_000;
  await pass(1_000);
  ward.checks.close();
  return ward.snapshot.overdueChecks.length > 0;
}

/** Of `boot_grace`. */
function patienceForUpdates(): number {
  return first(1, factor => ageOf(factor, 1) === 'old');
}

function first(step: number, is: (value: number) => boolean): number {
  for (let value = step; value <= 1_000 * step; value += step) if (is(value)) return value;
  throw new Error('never');
}
