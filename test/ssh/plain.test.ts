import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Plain } from '../../src/ssh/plain.ts';

const strip = (...pieces: string[]) => {
  const plain = new Plain();
  return pieces.map(piece => plain.feed(piece)).join('');
};

test.each([
  ['nothing', 'as it is\n', 'as it is\n'],
  ['colours', '\x1b[1;31mred\x1b[0m', 'red'],
  ['the cursor', 'a\x1b[2K\x1b[?25lb', 'ab'],
  ['a title ended by BEL', '\x1b]0;tc@box: ~\x07$ ', '$ '],
  ['a title ended by ST', '\x1b]0;tc@box: ~\x1b\\$ ', '$ '],
  ['a character set', '\x1b(Bx', 'x'],
  ['keypad mode', '\x1b=x', 'x'],
  ['what is none', '[1m] \x1b[\n', '[1m] \x1b[\n'],
])('%s', (_, text, expected) => expect(strip(text)).toBe(expected));

test('a sequence that never ends is let go', () => {
  expect(strip('\x1b]', 'x'.repeat(300), 'y')).toContain('y');
});

test('cut anywhere, it is the same', () => {
  const piece = fc.constantFrom('\x1b', '[', ']', '0', ';', 'm', '\x07', '\\', '(', 'B', ' ', 'text', '\n', '?');
  fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), pieces => strip(...pieces) === strip(pieces.join(''))));
});
