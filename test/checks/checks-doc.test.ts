import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { filled } from '../../scripts/checks-doc.ts';
import { patience } from '../../src/checks/checks.ts';
import { patienceForUpdates } from '../../src/checks/diagnosis/evidence.ts';
import { type Facts, messageOf } from '../../src/checks/diagnosis/messages.ts';
import { longest } from '../../src/checks/engine/ask.ts';
import { untilAsleep } from '../../src/checks/engine/disk-idle.ts';
import { afterChange, retest, whileBooting } from '../../src/checks/engine/retry-times.ts';
import { shapeAt } from '../../src/config/shape.ts';
import { type CheckDocument, checkDocument } from '../../src/model/documents.ts';
import { emptyVm } from '../../src/model/snapshot.ts';
import { parseDuration } from '../../src/util/duration.ts';

const page = await readFile(new URL('../../docs/checks.md', import.meta.url), 'utf8');

const minute = 60_000;
const byDefault = (key: string) => String(shapeAt(['vms', 0, 'checks', key])?.default);
const time = (key: string) => parseDuration(byDefault(key)) ?? Number.NaN;

test('what docs/checks.md has from the code is current', () => {
  expect(page).toBe(filled(page));
});

test('so are the times and defaults that its sentences name', () => {
  expect([byDefault('schedule'), byDefault('deep_schedule')]).toEqual(['* * * * *', '*/15 * * * *']);
  const needed = Number(byDefault('failures_before_down'));
  for (const sentence of [
    '`schedule`, every minute',
    '`deep_schedule`, every 15 minutes',
    `all probes, ${afterChange / 1_000} s after the bridge finds the VM running`,
    `all probes, ${whileBooting / 1_000} s after the last check ended; ${retest / 1_000} s once`,
    `a worse result | all probes, ${retest / 1_000} s later`,
    `\`probe_timeout\` (${time('probe_timeout') / 1_000} s), and a whole check at most ${times(longest(1))} that`,
    `at any of its data disks for ${untilAsleep / minute} minutes`,
    `\`booting\` for \`boot_grace\` (${time('boot_grace') / minute} minutes)`,
    `A DSM that reports an update is one after ${times(patienceForUpdates)} that`,
    `\`failures_before_down\` (${needed}) times in a row, ${retest / 1_000} s apart`,
    `If a check has not ended ${patience / 1_000} s after it should have`,
    'is `unreachable` within two minutes',
  ]) {
    expect(page).toContain(sentence);
  }
  const worst = minute + needed * longest(time('probe_timeout')) + (needed - 1) * retest;
  expect(worst).toBeLessThan(2 * minute);
});

test('its examples say what the code says', () => {
  const example: CheckDocument = JSON.parse(fenced('json'));
  const keys = ({ probes, dsm, ...rest }: CheckDocument) =>
    [rest, probes, ...Object.values(probes), dsm].map(each => Object.keys(each ?? {}));
  expect(keys(example)).toEqual(keys(checkDocument(emptyVm('DSM', 'DSM'))));
  const known = { ...facts, bridge: example.probes.bridge?.explanation ?? '' };
  expect([example.cause, messageOf('link_down', known)]).toEqual([
    'link_down',
    { reason: example.reason, next: example.next_step },
  ]);
  const { reason, next } = messageOf('recoverable', facts);
  expect(fenced('console')).toContain(`DSM (DSM): recoverable\n  ${reason}\n  → ${next}\n`);
});

const facts: Facts = {
  ...{ domain: 'DSM', address: '10.99.0.20', port: '5000', ports: '5000, 5001 and 445', closed: '', instead: '' },
  ...{ mac: '52:54:00:d5:30:01', tap: 'vnet0', source: 'br0', age: 'a while', grace: '15 min' },
  ...{ guest: 'DSM', bridge: '', neighbour: '', web: '', http: '', ssh: '', agent: '', services: '' },
};

function fenced(language: string): string {
  return new RegExp(`\`\`\`${language}\n(.+?)\`\`\``, 's').exec(page)?.[1] ?? '';
}

function times(count: number): string {
  return count === 4 ? 'four times' : `${count} times`;
}
