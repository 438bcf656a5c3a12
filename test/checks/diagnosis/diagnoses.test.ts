/** The sentences people read: whole, with what was found in them, and nothing left in braces. */
import { describe, expect, test } from 'vitest';
import { causes, diagnoses } from '../../../src/checks/diagnosis/diagnoses.ts';
import { type Facts, messageOf, span } from '../../../src/checks/diagnosis/messages.ts';
import { verdicts } from '../../../src/model/check.ts';

const facts: Facts = {
  ...{ domain: 'DSM', instead: "Did you mean 'DSM7'? It has DSM7, router.", address: '10.0.0.20', port: '5000' },
  ...{ ports: '5000, 5001 and 445', closed: '445', mac: '52:54:00:d5:30:01', tap: 'vnet0', source: 'br0' },
  ...{ age: '4 min', grace: '15 min', bridge: 'The bridge said so.', neighbour: 'The neighbour said so.' },
  ...{ guest: 'DSM', web: 'The page said so.', http: 'The site said so.', ssh: 'SSH said so.' },
  ...{ agent: 'The agent said so.', services: 'The ports said so.' },
};
const nothing = {
  ...facts,
  instead: '',
  bridge: '',
  neighbour: '',
  web: '',
  http: '',
  ssh: '',
  agent: '',
  services: '',
};

describe.each([
  ['every sentence known', facts],
  ['no more known than must be', nothing],
])('%s', (_, known) => {
  test.each(causes)('%s', cause => {
    const { reason, next } = messageOf(cause, known);
    for (const sentence of [reason, ...(next === null ? [] : [next])]) {
      expect(sentence).toMatch(/^(libvirt|[A-Z]).*\.$/);
      expect(sentence).not.toMatch(/[{}]|undefined|null|NaN| {2}/);
    }
    // Home Assistant cuts a state at 255 characters.
    expect(reason.length).toBeLessThanOrEqual(255);
  });
});

test.each([
  ['port_closed', 'DSM answers at 10.0.0.20, but not on port 445.'],
  ['booting', 'It was powered on 4 min ago, and DSM does not answer yet.'],
  [
    'ports_closed',
    'A machine answers at 10.0.0.20, but its ports 5000, 5001 and 445 are closed: DSM does not run on it, or has other ports.',
  ],
  ['link_down', 'DSM cannot be reached: its network cable is unplugged at libvirt. The bridge said so.'],
] as const)('%s reads', (cause, sentence) => {
  expect(messageOf(cause, facts).reason).toBe(sentence);
});

test('commands can be pasted', () => {
  expect(messageOf('link_down', facts).next).toContain('`virsh domif-setlink DSM 52:54:00:d5:30:01 up`');
  expect(messageOf('misplugged', facts).next).toContain('`ip link set vnet0 master br0`');
});

test('a value cannot bring a placeholder of its own', () => {
  expect(messageOf('loader', { ...facts, web: 'It says {address} and $1.' }).reason).toContain(
    'It says {address} and $1.',
  );
});

test.each([
  [-5, 'less than a minute'],
  [59_999, 'less than a minute'],
  [60_000, '1 min'],
  [119_999, '1 min'],
  [3_600_000, '60 min'],
  [7_200_000, '2 h'],
  [172_800_000, '2 days'],
])('%d ms: %s', (milliseconds, text) => expect(span(milliseconds)).toBe(text));

test('every verdict has a diagnosis, and no sentence is said twice', () => {
  expect(new Set(causes.map(cause => diagnoses[cause].verdict))).toEqual(new Set(verdicts));
  expect(new Set(causes.map(cause => diagnoses[cause].reason)).size).toBe(causes.length);
  for (const cause of causes) {
    const { next, verdict } = diagnoses[cause];
    expect([cause, next === null]).toEqual([cause, verdict === 'up' || cause === 'not_checked']);
  }
});
