import { expect, test } from 'vitest';
import { complaints } from './harness.ts';

test.each([
  ['mqtt:\n  url: a\n  url: b', 'config.yaml:3:3 : the key is given twice'],
  ['mqtt:\n\turl: a', 'config.yaml:2:1 : a tab cannot indent'],
  ['mqtt:\n   url: a\n  username: b', /^config\.yaml:3:\d+ : /],
  ['mqtt:\n  username: "a', /^config\.yaml:\d+:\d+ : something is missing/],
  ['mqtt: { url: a', /^config\.yaml:\d+:\d+ : /],
  ['mqtt: a: b', 'config.yaml:1:7 : a mapping cannot start here'],
  ['mqtt:\n  url:a\n  username: b', /^config\.yaml:\d+:\d+ : expected `key: value` on one line/],
  ['mqtt: *broker', 'config.yaml:1:7 : alias without an anchor above it'],
  ['mqtt: { password: !secret mqtt }', 'config.yaml:1:19 : unknown tag'],
  ['mqtt: { password: @x }', 'config.yaml:1:19 : a plain value cannot start with this character'],
  ['mqtt: { <<: 5 }', 'config.yaml:1:13 : << takes an alias of a mapping, or a list of such aliases'],
  ['a: &a { b: 1 }\nmqtt: { <<: [*a, x] }', /^config\.yaml:2:18 : << takes/],
  ['? [a]\n: 1', /^config\.yaml:\d+:\d+ : a key must be a word/],
  ['a: 1\n---\nb: 2', 'config.yaml:2:1 : a second document starts here'],
])('%j', async (text, complaint) => {
  const [first] = await complaints(text);
  expect(first).toEqual(typeof complaint === 'string' ? complaint : expect.stringMatching(complaint));
});

test.each([
  ['an empty file', ''],
  ['only comments', '# nothing\n'],
  ['a null', '~\n'],
])('%s lacks what is required', async (_, text) => {
  expect(await complaints(text)).toEqual(['config.yaml:1:1 mqtt.url: is missing', 'config.yaml:1:1 vms: is missing']);
});

test.each([
  ['an alias bomb', `${bomb()}\nmqtt: { url: mqtt://b }\nvms: [{ domain: D }]`],
  ['a list that contains itself', 'vms: &a [*a]\nmqtt: { url: mqtt://b }'],
  ['a mapping that contains itself', 'mqtt: &a { url: *a }\nvms: []'],
  ['five hundred question marks', `${'? '.repeat(500)}x`],
  ['ten thousand brackets', '['.repeat(10_000)],
  ['a deep tree', `a: ${'{a: '.repeat(5_000)}1${'}'.repeat(5_000)}`],
])('%s is refused and nothing worse', async (_, text) => {
  expect(await complaints(text)).not.toEqual([]);
});

function bomb(): string {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const inner = level === 0 ? Array(10).fill('x') : Array(10).fill(`*l${level - 1}`);
    return `l${level}: &l${level} [${inner.join(', ')}]`;
  });
  return levels.join('\n');
}
