import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lines } from '../../../src/loader/job/lines.ts';

function read(...pieces: string[]): string[] {
  const lines = new Lines();
  return [...pieces.flatMap(piece => lines.push(piece)), ...lines.end()];
}

test.each<[what: string, text: string, lines: string[]]>([
  ['lines', 'a\nb\n', ['a', 'b']],
  ['a last one without an end', 'a\nb', ['a', 'b']],
  ['empty ones are left out', '\n\n a\n \n', [' a']],
  ['what a progress meter shows in the end', ' 1 %\r50 %\r100 %\nb', ['100 %', 'b']],
  ['with CRLF', 'a\r\nb\r\n', ['a', 'b']],
  [
    'messages without line ends',
    '[#] One... [OK][#] Two... [!] no[-] x',
    ['[#] One... [OK]', '[#] Two...', '[!] no', '[-] x'],
  ],
  ['control characters are blanks', 'a\u0007b\u0000c', ['a b c']],
])('%s', (_, text, lines) => {
  expect(read(text)).toEqual(lines);
});

test('a long line comes in pieces, and no character of it is lost', () => {
  const text = 'ü'.repeat(1_000);
  const lines = read(`${text}\nb`);
  expect(lines.slice(0, -1).join('')).toBe(text);
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(400);
});

describe('in pieces', () => {
  test('lines are the same however they are cut', () => {
    const text = fc.array(fc.constantFrom('a', 'b c', '\n', '\r', '[#] ', '\r\n', 'x'.repeat(30)), { maxLength: 12 });
    fc.assert(
      fc.property(text, fc.infiniteStream(fc.integer({ min: 1, max: 7 })), (parts, cuts) => {
        const whole = parts.join('');
        const pieces: string[] = [];
        for (let at = 0; at < whole.length; ) {
          const { value: length } = cuts.next();
          pieces.push(whole.slice(at, at + length));
          at += length;
        }
        expect(read(...pieces)).toEqual(read(whole));
      }),
    );
  });

  test('a line without an end takes no memory', () => {
    const lines = new Lines();
    let told = 0;
    for (let at = 0; at < 10_000; at++) told += lines.push('y'.repeat(100)).join('').length;
    expect(told).toBeGreaterThan(999_000);
  });
});
