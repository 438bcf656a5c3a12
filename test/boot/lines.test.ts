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
  test('a line ends with a whole character', () => {
    expect(read(`${'x'.repeat(299)}\u{1f600}`)).toEqual(['x'.repeat(299)]);
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

  test.each([
    ['a zero byte', 'id 1780\0PDN654321'],
    ['a backspace', '1780PDN\b654321'],
    ['a byte that is no text', Buffer.from('1780PDN\xff654321', 'latin1')],
    ['a character without width', 'id 1780\u200bPDN654321'],
    ['another column before it', `OK${esc}[60G1780PDN654321${esc}[3CDSM`],
    ['the frame of a dialog before it', `${esc}(0x${esc}(B1780PDN654321${esc}(0x${esc}(B`],
    ['a zero byte in its name', 's\0n=PDN654321'],
  ])('with %s', (_, line) => expect(read(line).join()).not.toMatch(/654321/));
  test('after a move of the cursor that comes in two pieces', () => {
    const lines = new Lines();
    const all = [`OK${esc}[5;`, '10H1780PDN654321\n'].flatMap(text => lines.push(Buffer.from(text)));
    expect(all).toEqual(['OK', '[serial]']);
  });
  test('nor the parts of one that is cut by a note, or by the end', () => {
    const lines = new Lines();
    const parts = ['sn=1780PDN', '654', '321 mac1=001132', '0A0B0C 17', '80PDN6', '54321', '\nnext 12'];
    const all = parts.flatMap(text => [...lines.push(Buffer.from(text)), ...lines.end()]).join(' ');
    expect(all).not.toMatch(/1780PDN|654|321|0A0B0C|PDN6/);
    expect(all).toMatch(/next 12$/);
  });

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
