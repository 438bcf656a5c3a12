import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PlainText } from '../../src/loader/terminal-text.ts';

const esc = String.fromCharCode(27);
const plain = (...pieces: readonly string[]) => {
  const text = new PlainText();
  return pieces.map(piece => text.push(piece)).join('') + text.end();
};

test.each([
  ['plain', 'plain'],
  [`${esc}[1;31m[!]${esc}[0m no`, '[!] no'],
  [`${esc}[2J${esc}[H${esc}[?25lscreen`, 'screen'],
  [`${esc} alone`, `${esc} alone`],
  ['12%\r100%\n', '12%\r100%\n'],
])('%j is %j', (text, expected) => {
  expect(plain(text)).toBe(expected);
  expect(plain(...text)).toBe(expected);
});

test('what never becomes one is not lost', () => {
  expect(plain(`a${esc}[1`)).toBe(`a${esc}[1`);
  expect(plain(`a${esc}[${'1'.repeat(40)}m`)).toBe(`a${esc}[${'1'.repeat(40)}m`);
});

test('in any pieces', () => {
  const piece = fc.constantFrom(esc, '[', '1', ';', 'm', 'x', `${esc}[0m`, '\n', '?');
  fc.assert(
    fc.property(fc.array(piece), pieces => {
      expect(plain(...pieces)).toBe(plain(pieces.join('')));
    }),
  );
});
