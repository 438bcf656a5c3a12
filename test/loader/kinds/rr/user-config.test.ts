/** RR's configuration, read: whatever is in the file, the answer is a value or a sentence, and at once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { identityWords } from '../../../../src/loader/kinds/identity.ts';
import { judgeConfig, readConfig, readIdentity, textOf } from '../../../../src/loader/kinds/rr/user-config.ts';

const whole = `platform: "apollolake"
model: "DS918+"
productver: "7.2"
buildnum: 72806
smallnum: "3"
sn: "1780PDN000000"
mac1: 001132123456
mac2: '0011321234AB'
cmdline:
  SataPortMap: "12"
addons:
  acpid: ""
unknown: [1, {a: b}]
`;

test('each value is a string, a MAC of digits too', () => {
  const read = readConfig(whole);
  if ('problem' in read) throw new Error(read.problem.message);
  expect(textOf(read.config, 'buildnum')).toBe('72806');
  expect(read.config['cmdline']).toEqual({ SataPortMap: '12' });
  expect([textOf(read.config, 'none'), textOf(read.config, 'cmdline')]).toEqual(['', '']);
  expect(readIdentity(whole)).toEqual({
    identity: { sn: '1780PDN000000', mac1: '001132123456', mac2: '0011321234AB' },
  });
  expect(identityWords(whole)).toEqual(['1780PDN000000', '001132123456', '0011321234AB']);
});

test.each([
  ['an empty file', '', { complete: false }],
  ['no MAC', 'sn: "1780PDN000000"\nmac1: ""\n', { complete: false }],
  ['all of it', whole, { complete: true }],
  ['anchors', 'a: &a\n  x: y\nb: *a\nsn: S1\nmac1: 0011321234AB\n', { complete: true }],
])('%s can be kept from', (_, text, expected) => {
  expect(judgeConfig(text)).toEqual(expected);
});

const bomb = [
  'a: &a [x, x, x, x, x, x, x, x, x]',
  ...'bcdefgh'.split('').map((name, nth) => {
    const before = 'abcdefgh'[nth];
    return `${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`;
  }),
].join('\n');

describe('a sentence, with the place where there is one', () => {
  test.each([
    ['tabs', 'cmdline:\n\tSataPortMap: "1"\n', /not valid YAML: line 2/],
    ['a list', '- a\n- b\n', /has no settings/],
    ['a text', 'hello', /has no settings/],
    ['two documents', 'a: b\n---\nc: d\n', /several documents/],
    ['10 MB', `a: ${'x'.repeat(10 * 1024 ** 2)}`, /more than 65536/],
    ['a bomb of aliases', bomb, /has aliases/],
    ['bytes', '\u0000\u0001\ufffd: [', /is not text/],
    ['a serial number of another form', 'sn: "a b"\n', /"sn" in user-config\.yml is no serial number/],
    ['a MAC of another form', 'sn: S\nmac1: 00:11:32:12:34:56\n', /"mac1" in user-config\.yml is no MAC/],
  ])('%s', (_, text, message) => {
    const verdict = judgeConfig(text);
    expect(verdict).toMatchObject({ problem: { code: 'bad_config', message: expect.stringMatching(message) } });
    expect(JSON.stringify(verdict)).not.toContain('a b');
  });
});

test('never throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => {
      judgeConfig(text);
      identityWords(text);
    }),
  );
});
