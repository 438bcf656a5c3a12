import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Plain } from '../../src/ssh/plain.ts';

const strip = (...pieces: string[]) => {
  const plain = new Plain();
  return pieces.map(piece => plain.feed(piece)).join('') + plain.end();
};

test.each([
  ['nothing', 'as it is\n', 'as it is\n'],
  ['colours', '\x1b[1;31mred\x1b[0m', 'red'],
  ['the cursor', 'a\x1b[2K\x1b[?25lb', 'ab'],
  ['a title ended by BEL', '\x1b]0;tc@box: ~\x07$ ', '$ '],
  ['a title ended by ST', '\x1b]0;tc@box: ~\x1b\\$ ', '$ '],
  ['a character set', '\x1b(Bx', 'x'],
  ['8-bit controls', '\x1b Gx', 'x'],
  ['an escape alone before a word', 'a\x1b 1234', 'a\x1b 1234'],
  ['keypad mode', '\x1b=x', 'x'],
  ['the whole screen', '\x1b[2J\x1b[H\x1b[?25lscreen', 'screen'],
  ['a line written anew', '12%\r100%\n\b\t\x07', '12%\r100%\n\b\t\x07'],
  ['what is none', '[1m] \x1b[\n', '[1m] \x1b[\n'],
])('%s', (_, text, expected) => {
  expect(strip(text)).toBe(expected);
  expect(strip(...text)).toBe(expected);
});

test.each(['a\x1b', 'a\x1b[1', 'a\x1b]0;title'])(
  '%j: what never becomes one is not lost, and comes at the end',
  text => {
    const plain = new Plain();
    expect(plain.feed(text)).toBe('a');
    expect(plain.end()).toBe(text.slice(1));
    expect(plain.end()).toBe('');
  },
);

test('a sequence that never ends is let go', () => {
  expect(strip('\x1b]', 'x'.repeat(300), 'y')).toContain('y');
});

test('cut anywhere, it is the same', () => {
  const piece = fc.constantFrom('\x1b', '[', ']', '0', ';', 'm', '\x07', '\\', '(', 'B', ' ', 'text', '\n', '?');
  fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), pieces => strip(...pieces) === strip(pieces.join(''))));
});
