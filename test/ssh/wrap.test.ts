import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Announcement } from '../../src/ssh/wrap.ts';

const read = (...pieces: string[]) => {
  const announcement = new Announcement();
  const passed = pieces.map(piece => announcement.feed(piece)).join('') + announcement.flush();
  return { group: announcement.group, passed };
};

describe('the number of the group', () => {
  test.each([
    ['first of all', '\x1e1234\x1ehello\n', 1_234, 'hello\n'],
    ['behind what a login shell says', 'Welcome!\n\x1e1234\x1ehello\n', 1_234, 'Welcome!\nhello\n'],
    ['and nothing else', '\x1e1234\x1e', 1_234, ''],
    ['never', 'sh: not found\n', null, 'sh: not found\n'],
    ['only once', '\x1e1\x1e\x1e2\x1e', 1, '\x1e2\x1e'],
    ['none', '\x1e12\n', null, '\x1e12\n'],
  ])('%s', (_, said, group, passed) => {
    expect(read(said)).toEqual({ group, passed });
    expect(read(...said)).toEqual({ group, passed });
  });

  test('is not waited for after much else', () => {
    const announcement = new Announcement();
    expect(announcement.feed('x'.repeat(4_095))).toBe('');
    expect(announcement.feed('x')).toBe('x'.repeat(4_096));
    expect(announcement.feed('y')).toBe('y');
  });

  test('takes nothing else out of any output', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 20 })), pieces => {
        expect(read('\x1e7\x1e', ...pieces)).toEqual({ group: 7, passed: pieces.join('') });
      }),
    );
  });
});
