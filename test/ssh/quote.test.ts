import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quote } from '../../src/ssh/quote.ts';

test.each([
  ['', "''"],
  ['plain', "'plain'"],
  ["it's", "'it'\\''s'"],
  ['$HOME `id` "x" \\', '\'$HOME `id` "x" \\\''],
])('%j is %s', (text, word) => expect(quote(text)).toBe(word));

test('a NUL cannot be said', () => expect(() => quote('a\0b')).toThrow(RangeError));

test('a shell reads what was meant, whatever it is', () => {
  const text = fc.string({ unit: 'binary' }).filter(each => !each.includes('\0'));
  const nasty = fc.string({ unit: fc.constantFrom("'", '\\', '"', '$', '`', '\n', ' ', '!', '*', '-', 'x') });
  fc.assert(
    fc.property(fc.array(fc.oneof(text, nasty), { minLength: 1, maxLength: 30 }), texts => {
      const said = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${texts.map(quote).join(' ')}`]);
      const meant = texts.map(each => Buffer.from(each).toString());
      expect(said.toString().split('\0').slice(0, -1)).toEqual(meant);
    }),
    { numRuns: 25 },
  );
});
