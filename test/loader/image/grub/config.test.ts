import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withEntry, withNextEntry } from '../../../../src/loader/image/boot-entry.ts';
import { readMenu, savedName, withFixedDefault } from '../../../../src/loader/image/grub/config.ts';
import { type GrubEnv, grubEnvValue } from '../../../../src/loader/image/grub/env.ts';
import { ImageError } from '../../../../src/loader/image/image.ts';
import { builder, env, friend, onceConfig, sata, tcrpConfig, usb } from '../grub-files.ts';

const next = (config: string, block: GrubEnv | null) => {
  const { entries, next: index } = readMenu(config, block);
  return index === null ? null : entries[index]?.title;
};

describe('the menu', () => {
  test('its entries in order, and nothing of what is in them', () => {
    const { entries, fixed } = readMenu(tcrpConfig(), env({}));
    expect(entries.map(({ title }) => title)).toEqual([usb, sata, builder, friend]);
    expect(fixed.length).toBe(1);
  });

  test('titles, ids, submenus as one', () => {
    expect(readMenu(onceConfig, env({})).entries).toEqual([
      { title: 'Boot DSM', id: 'boot' },
      { title: 'Configure loader', id: 'config' },
      { title: 'More', id: 'more' },
      { title: 'Junior', id: 'junior' },
    ]);
  });

  test('quotes, escapes, comments and lines that go on', () => {
    const config = `menuentry "a \\"b\\" c" { # menuentry 'no' {
}
menuentry d\\ e \\
  --class x {
}
menuentry 'it'"'"'s' { }`;
    expect(readMenu(config, null).entries.map(({ title }) => title)).toEqual(['a "b" c', 'd e', "it's"]);
  });

  test('whatever it is, it is read', () => {
    const words = [
      'if ',
      '[ -n "',
      `\${x}`,
      '" ]',
      ';',
      '\n',
      'then',
      'else',
      'elif',
      'fi',
      '{',
      '}',
      "'",
      '"',
      '\\',
      '$',
    ];
    const piece = fc.constantFrom(...words, 'set default=', 'menuentry ', 'a', '>', '!');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), pieces => {
        const { entries, next: index } = readMenu(pieces.join(''), env({ x: 'y' }));
        expect(index === null ? entries : entries.slice(index, index + 1)).toHaveLength(index === null ? 0 : 1);
      }),
    );
  });
});

describe('what starts next', () => {
  const saves = tcrpConfig();
  const fixed = tcrpConfig({ first: '"3"', second: '"3"' });
  test.each<[string, string, GrubEnv | null, string | null]>([
    ['nothing is remembered: the fixed one', saves, env({}), usb],
    ['there is no environment block', saves, null, usb],
    ['what is remembered, by its title', saves, env({ saved_entry: builder }), builder],
    ['by its number', saves, env({ saved_entry: '1' }), sata],
    ['a title that is gone: the first', saves, env({ saved_entry: 'RedPill DS918+ v7.0' }), usb],
    ['a number that is too high: the first', saves, env({ saved_entry: '4' }), usb],
    ['remembered empty: not at all', saves, env({ saved_entry: '' }), usb],
    ['fixed to the friend, whatever is remembered', fixed, env({ saved_entry: builder }), friend],
    ['fixed to the friend, with nothing remembered', fixed, env({}), friend],
    ['without quotes', tcrpConfig({ first: '1', second: "'2'" }), env({ saved_entry: usb }), builder],
    ['an empty menu', tcrpConfig({ entries: [] }), env({}), null],
    ['nothing sets it: the first', "menuentry 'a' {\n}\nmenuentry 'b' {\n}\n", null, 'a'],
    ['once, by its id', onceConfig, env({ next_entry: 'config' }), 'Configure loader'],
    ['usually', onceConfig, env({}), 'Boot DSM'],
    ['a path into a submenu: the submenu', onceConfig, env({ next_entry: 'more>deep' }), 'More'],
  ])('%s', (_, config, block, expected) => {
    expect(next(config, block)).toBe(expected);
  });
});

describe('arming', () => {
  const titles = [usb, sata, builder, friend];
  const saves = tcrpConfig();
  const fixed = tcrpConfig({ first: '"3"', second: '"3"' });

  test('what is armed already is not changed', () => {
    const files = { config: saves, env: env({ saved_entry: builder }) };
    expect(withEntry(files, 2)).toBe(files);
  });

  test('where the block decides, only the block is changed, and only what must be', () => {
    const armed = withEntry({ config: saves, env: env({ a: '1', saved_entry: usb, b: '2' }) }, 2);
    expect(armed).toEqual({ config: saves, env: env({ a: '1', saved_entry: builder, b: '2' }) });
  });

  test('where the configuration overrules it, both lines, and what is remembered too', () => {
    const armed = withEntry({ config: fixed, env: env({ saved_entry: friend }) }, 2);
    expect(armed).toEqual({
      config: tcrpConfig({ first: '"2"', second: '"2"' }),
      env: env({ saved_entry: builder }),
    });
    expect(withEntry(armed, 3)).toEqual({ config: fixed, env: env({ saved_entry: friend }) });
  });

  test('without a block a fixed number is enough', () => {
    expect(next(withEntry({ config: saves, env: null }, 1).config, null)).toBe(sata);
  });

  test('what was due once goes', () => {
    const armed = withEntry({ config: onceConfig, env: env({ next_entry: 'config' }) }, 0);
    const values = ['saved_entry', 'next_entry'].map(name => armed.env && grubEnvValue(armed.env, name));
    expect(values).toEqual(['Boot DSM', null]);
  });

  test('a fixed id gives way to a number', () => {
    expect(next(withEntry({ config: onceConfig, env: env({}) }, 1).config, env({}))).toBe('Configure loader');
  });

  test('what cannot be decided is refused', () => {
    const config = `default=\${other}\nmenuentry 'a' {\n}\nmenuentry 'b' {\n}\n`;
    expect(() => withEntry({ config, env: env({}) }, 1)).toThrow(expect.objectContaining({ code: 'cannot_arm' }));
    expect(() => withEntry({ config, env: null }, 1)).toThrow(/no environment block/);
  });

  test('once, by its id: with an environment block, and without one', () => {
    for (const before of [env({ a: '1' }), null]) {
      const armed = withNextEntry({ config: onceConfig, env: before }, 1);
      expect(armed).toEqual({ config: onceConfig, env: [...(before ?? []), { name: 'next_entry', value: 'config' }] });
      expect(next(armed.config, armed.env)).toBe('Configure loader');
      expect(withNextEntry(armed, 1)).toBe(armed);
    }
    // It starts that one anyway.
    const files = { config: onceConfig, env: null };
    expect(withNextEntry(files, 0)).toBe(files);
    expect(() => withNextEntry({ config: saves, env: env({}) }, 2)).toThrow(/cannot be made to start/);
  });

  test('any entry of any menu, whatever was armed before', () => {
    const title = fc.stringMatching(/^[ -&(-~]{1,20}$/);
    const menus = fc.uniqueArray(title, { minLength: 1, maxLength: 6 });
    const lines = fc.constantFrom(`"\${saved_entry}"`, '"3"', '0');
    fc.assert(
      fc.property(menus, lines, fc.nat(5), fc.string(), (entries, second, choice, saved) => {
        const index = choice % entries.length;
        const config = tcrpConfig({ entries, second });
        const armed = withEntry({ config, env: env({ saved_entry: saved }) }, index);
        expect(readMenu(armed.config, armed.env).next).toBe(index);
      }),
    );
  });

  test.each([
    ['a title', titles, 2, builder],
    ['one with >, which stands for a path', ['a', 'b > c'], 1, 'b >> c'],
    ['one that begins like a number', ['a', '2 b', 'c'], 1, '1'],
    ['one of two with the same title', ['a', 'b', 'b'], 2, '2'],
  ])('remembers %s', (_, list, index, expected) => {
    expect(
      savedName(
        list.map(title => ({ title, id: null })),
        index,
      ),
    ).toBe(expected);
  });

  test('only the fixed values are replaced, text around them stays', () => {
    const config = `set default="0" # why\nset default=\${x}\n  default='ab';echo hi\n`;
    expect(withFixedDefault(config, readMenu(config, null), 4)).toBe(
      `set default="4" # why\nset default=\${x}\n  default="4";echo hi\n`,
    );
  });
});

describe('a long script takes no longer than its length says', () => {
  const many = (text: string, bytes = 128 * 1024) => text.repeat(bytes / text.length);
  const megabyte = 1024 ** 2;
  test.each<[what: string, config: string]>([
    ['fixed defaults', many('set default=0\n', megabyte)],
    ['nested conditions', many('if [ 1 ]; then\n', megabyte)],
    ['conditions one after another', many('if [ $a = b ]; then\nset c=$d\nfi\n')],
    ['`else` in one line', many('else ')],
    ['`then` in one line', many('then ')],
    ['negations of a condition', `if ${many('! ')}[ 1 ]; then`],
    ['negations in a condition', `if [ ${many('! ')} 1 ]; then`],
    ['entries', many("menuentry 'x' { }\n")],
    ['variables', many('$a')],
    ['dollar signs', many('$')],
    ['quotes', many('\'"')],
    ['braces', many('{ ')],
    ['one word', many('x')],
  ])('%s', { timeout: 20_000 }, (_, config) => {
    const menu = readMenu(config, null);
    expect(withFixedDefault(config, menu, 3).length).toBeGreaterThanOrEqual(config.length);
  });

  test('a value that doubles with each line is no menu', () => {
    const config = `a=xx\n${'a=$a$a\n'.repeat(64)}menuentry $a { }\n`;
    expect(() => readMenu(config, null)).toThrow(ImageError);
  });

  test.each([
    ['if ! [ 1 ]; then\n', false],
    ['if ! ! [ 1 ]; then\n', true],
    ['if [ ! 1 ]; then\n', false],
    ['if [ ! ! 1 ]; then\n', true],
    ['if [ ! ]; then\n', true],
    ['if ! ; then\n', false],
    ['if [ ]; then\n', false],
    ['if [ ]; then\nelse ', true],
    ['if [ ]; then\nelse then ', true],
  ])('%j runs: %s', (condition, runs) => {
    expect(readMenu(`${condition}menuentry x { }\nfi\n`, null).entries.length > 0).toBe(runs);
  });
});
