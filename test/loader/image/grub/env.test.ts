import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatGrubEnv, grubEnvValue, parseGrubEnv, withGrubEnv } from '../../../../src/loader/image/grub/env.ts';

const head = '# GRUB Environment Block\n';
const block = (lines: string) => Buffer.from((head + lines).padEnd(1_024, '#'), 'latin1');

describe('read', () => {
  test('variables in their order, comments kept, padding none', () => {
    const lines = '# WARNING: Do not edit\nsaved_entry=Tiny Core Image Build\nempty=\n';
    expect(parseGrubEnv(block(lines))).toEqual([
      { comment: '# WARNING: Do not edit' },
      { name: 'saved_entry', value: 'Tiny Core Image Build' },
      { name: 'empty', value: '' },
    ]);
  });

  test.each([
    ['an empty one', '', []],
    ['= in a value', 'a=b=c\n', [{ name: 'a', value: 'b=c' }]],
    ['what is escaped', 'a=b\\\\c\\\nd\n', [{ name: 'a', value: 'b\\c\nd' }]],
    ['more than ASCII', `a=${Buffer.from('Größe').toString('latin1')}\n`, [{ name: 'a', value: 'Größe' }]],
  ])('%s', (_, lines, expected) => {
    expect(parseGrubEnv(block(lines))).toEqual(expected);
  });

  test('a block of another size, which GRUB reads too', () => {
    const lines = [{ name: 'next_entry', value: 'config' }];
    // RR's own add-on writes 1042 bytes where it has no grub-editenv.
    for (const size of [head.length + 18, 512, 1_042, 4_096]) {
      const bytes = Buffer.from(`${head}next_entry=config\n`.padEnd(size, '#'));
      expect(bytes.length).toBe(size);
      expect(parseGrubEnv(bytes)).toEqual(lines);
      expect(formatGrubEnv(parseGrubEnv(bytes)).length).toBe(1_024);
    }
  });

  test.each([
    ['much too long', Buffer.from(head.padEnd(65 * 1_024, '#'))],
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(1_024)],
    ['another beginning', Buffer.alloc(1_024, '#')],
    ['a line without =', block('saved_entry\n')],
    ['a line without a name', block('=x\n')],
    ['an empty line', block('\n')],
    ['no end of its last line', block('saved_entry=x')],
    ['zeros for padding', Buffer.concat([Buffer.from(`${head}a=b\n`), Buffer.alloc(1_024 - head.length - 4)])],
  ])('refused: %s', (_, bytes) => {
    expect(() => parseGrubEnv(bytes)).toThrow(expect.objectContaining({ code: 'bad_grubenv' }));
  });
});

describe('written', () => {
  test('set in its place, behind the others, removed', () => {
    const before = parseGrubEnv(block('a=1\nb=2\n'));
    const text = (env: typeof before) => formatGrubEnv(env).toString().replace(/#+$/, '');
    expect(text(withGrubEnv(before, 'a', 'x'))).toBe(`${head}a=x\nb=2\n`);
    expect(text(withGrubEnv(before, 'c', 'x'))).toBe(`${head}a=1\nb=2\nc=x\n`);
    expect(text(withGrubEnv(before, 'a', null))).toBe(`${head}b=2\n`);
    expect(text(withGrubEnv(before, 'c', null))).toBe(`${head}a=1\nb=2\n`);
    expect(grubEnvValue(before, 'b')).toBe('2');
    expect(grubEnvValue(before, 'c')).toBeNull();
  });

  test('as it was read, and always a block', () => {
    const name = fc.stringMatching(/^[a-z_]{1,8}$/);
    const value = fc.string({ unit: 'grapheme', maxLength: 20 });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, value), { maxLength: 8, selector: ([key]) => key }), pairs => {
        const env = pairs.map(([key, text]) => ({ name: key, value: text }));
        const bytes = formatGrubEnv(env);
        expect(bytes.length).toBe(1_024);
        expect(parseGrubEnv(bytes)).toEqual(env);
      }),
    );
  });

  test('to the last byte, and no more', () => {
    const room = 1_024 - head.length - 'a=\n'.length;
    const full = [{ name: 'a', value: 'x'.repeat(room) }];
    expect(parseGrubEnv(formatGrubEnv(full))).toEqual(full);
    const more = [{ name: 'a', value: 'x'.repeat(room + 1) }];
    expect(() => formatGrubEnv(more)).toThrow(expect.objectContaining({ code: 'bad_grubenv' }));
  });
});
