/** Whatever a console brings becomes lines of text that may be shown: bounded, plain, without serial numbers. */
import { describe, expect, test } from 'vitest';
import { Lines } from '../../src/boot/lines.ts';

const esc = '\u001b';
/** All at once. */
const read = (text: string | Buffer, known: readonly string[] = []) => {
  const lines = new Lines(known);
  return [...lines.push(Buffer.from(text)), ...lines.end()];
};
/** A byte at a time. */
const trickled = (text: string) => {
  const lines = new Lines();
  return [...[...Buffer.from(text)].flatMap(byte => lines.push(Buffer.from([byte]))), ...lines.end()];
};

describe('lines', () => {
  const text = `one\r\n${esc}[1;31mtwo${esc}[0m\n\n   \r\n10%\r55%\r100%\r\nfünf — 五\nand no end`;
  const expected = ['one', 'two', '100%', 'fünf — 五', 'and no end'];
  test('of what comes at once', () => expect(read(text)).toEqual(expected));
  test('and cut anywhere', () => expect(trickled(text)).toEqual(expected));
  test('a menu is painted without line ends', () => {
    expect(read(`${esc}[2J${esc}[01;01HGNU GRUB${esc}[4;2H*DSM${esc}[5;2H Builder`)).toEqual([
      ...['GNU GRUB', '*DSM', 'Builder'],
    ]);
  });
});

describe('bad input', () => {
  test('a line without an end is cut, and what follows it is read', () => {
    const lines = new Lines();
    for (let i = 0; i < 160; i++) expect(lines.push(Buffer.alloc(65_536, 'x'))).toEqual([]);
    const [long = '', next] = lines.push(Buffer.from('\nnext\n'));
    expect([long.length, next]).toEqual([300, 'next']);
  });
  test('ten megabytes of noise: no control characters, and in seconds', () => {
    const lines = new Lines();
    const noise = Buffer.alloc(65_536);
    let state = 1;
    for (let i = 0; i < noise.length; i++) {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      noise[i] = state >> 16;
    }
    const all = Array.from({ length: 160 }).flatMap(() => lines.push(noise));
    expect(all.length).toBeGreaterThan(1_000);
    for (const line of all) if (/[\p{Cc}\uFFFD]/u.test(line.replaceAll('\t', ''))) expect(line).toBe('clean');
    expect(Math.max(...all.map(line => line.length))).toBeLessThanOrEqual(300);
    expect([...lines.push(Buffer.from('\nlegible\n'))].at(-1)).toBe('legible');
  });
  test.each([
    ['zeros', Buffer.alloc(1_000)],
    ['half a character', Buffer.from([0xe4])],
    ['escapes that never end', Buffer.from(`${esc}]`.repeat(1_000))],
    ['half an escape', Buffer.from(`${esc}[3`)],
  ])('%s', (_, bytes) => {
    const lines = new Lines();
    lines.push(bytes);
    expect([...lines.push(Buffer.from('\r\n\nafter\n'))].at(-1)).toBe('after');
  });
});

describe('what must not be seen', () => {
  test.each([
    ['[    0.0] Command line: sn=2040PDN012345 mac1=0011320A0B0C netif_num=1', /2040PDN012345|0011320A0B0C/],
    [`Serial Number: ${esc}[1m1780${esc}[0mPDN654321`, /PDN654321/],
    ['eth0: 00:11:32:0a:0b:0c', /0a:0b/],
  ])('by its name and its shape: %s', (line, secret) => expect(read(line).join()).not.toMatch(secret));

  test('by its value, whatever it looks like', () => {
    expect(read('it is called my-own-Serial here', ['my-own-serial'])).toEqual(['it is called [hidden] here']);
  });
  test('and wherever it comes, once the command line has named it', () => {
    expect(read('console=ttyS0 sn=ABCDEFG syno\nunit abcdefg is here')).toEqual([
      ...['console=ttyS0 sn=[serial] syno', 'unit [hidden] is here'],
    ]);
  });
  test('also beyond the length of a line', () => {
    expect(read(`${'x'.repeat(290)} sn=2040PDN012345\n`).join()).not.toContain('2040');
  });
});
