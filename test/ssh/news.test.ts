/** What counts as a sign of life: meters that were recorded, moving and stopped. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { News } from '../../src/ssh/news.ts';

const head = `  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
                                 Dload  Upload   Total   Spent    Left  Speed\n`;

/** Which of these outputs are news, one after the other. */
const news = (...outputs: string[]) => {
  const it = new News();
  return outputs.map(output => it.feed(output));
};
/**
 * Recorded beside a server that sends a part and then nothing; each is what came in about a second. From the fourth on
 * there is nothing new: what the third says is known when the fourth begins.
 */
const stalled: Readonly<Record<string, readonly string[]>> = {
  curl: [
    `${head}\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0`,
    '\r  3  341M    3 12.3M    0     0  10.2M      0  0:00:33  0:00:01  0:00:32 10.2M',
    '\r  3  341M    3 12.3M    0     0  5735k      0  0:01:00  0:00:02  0:00:58 5736k',
    '\r  3  341M    3 12.3M    0     0  3950k      0  0:01:28  0:00:03  0:01:25 3951k',
    '\r  3  341M    3 12.3M    0     0  12345      0  8:01:28  7:59:03  0:02:25     0',
    '\r  3  341M    3 12.3M    0     0    123      0 33d 04h  4d 03h 29d 01h 1:02     0',
  ],
  'curl that never connects': [
    `${head}\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0`,
    '\r  0     0    0     0    0     0      0      0 --:--:--  0:00:01 --:--:--     0',
    '\r  0     0    0     0    0     0      0      0 --:--:--  0:00:02 --:--:--     0',
    '\r  0     0    0     0    0     0      0      0 --:--:--  0:00:03 --:--:--     0',
  ],
  'curl that does not know the size': [
    `${head}\r100 1200k    0 1200k    0     0   900k      0 --:--:--  0:00:01 --:--:--  900k`,
    '\r100 12.3M    0 12.3M    0     0  1024k      0 --:--:--  0:00:12 --:--:-- 1024k',
    '\r100 12.3M    0 12.3M    0     0   945k      0 --:--:--  0:00:13 --:--:--     0',
    '\r100 12.3M    0 12.3M    0     0   900k      0 --:--:--  0:00:14 --:--:--     0',
  ],
  'curl -#': [
    '\r##               2.6%',
    '\r###              3.6%',
    '\r###              3.6%',
    '\r###              3.6%',
  ],
  'curl -#, no size': ['\r-=O=-  #   #   #', '\r -=O=-  #   # #  ', '\r  -=O=- #  #  #  ', '\r #  -=O=-  #   # '],
  'GNU wget': [
    '\r/dev/null             0%[                    ]       0  --.-KB/s               ',
    '\r/dev/null             3%[                    ]  12.40M  --.-KB/s    eta 58s    ',
    '\r/dev/null             3%[                    ]  12.40M  --.-KB/s    eta 1m 42s ',
    '\r/dev/null             3%[                    ]  12.40M  --.-KB/s    eta 2m 3s  ',
  ],
  "BusyBox's wget": [
    '\rDSM.pat              3% |*                               | 12.4M  0:04:50 ETA',
    '\rDSM.pat              3% |*                               | 12.4M - stalled -',
    '\rDSM.pat              3% |*                               | 12.4M --:--:-- ETA',
    '\rDSM.pat              3% |*                               | 12.4M - stalled -',
    '\rDSM.pat              3% |*                               | 12.4M  0:09:50 ETA',
  ],
  git: [
    'Receiving objects:  11% (110/1000), 1.10 MiB | 500.00 KiB/s\r',
    'Receiving objects:  12% (120/1000), 1.20 MiB | 500.00 KiB/s\r',
    'Receiving objects:  12% (120/1000), 1.20 MiB | 250.00 KiB/s\r',
    'Receiving objects:  12% (120/1000), 1.20 MiB | 17.00 KiB/s\r',
    'Receiving objects:  12% (120/1000), 1.20 MiB | 3 bytes/s\r',
  ],
  dd: [
    '\r12300000 bytes (12 MB, 12 MiB) copied, 11 s, 1.2 MB/s',
    '\r12400000 bytes (12 MB, 12 MiB) copied, 12 s, 1.1 MB/s',
    '\r12400000 bytes (12 MB, 12 MiB) copied, 13.01 s, 900 kB/s',
    '\r12400000 bytes (12 MB, 12 MiB) copied, 14.01 s, 800 kB/s',
  ],
  'a spinner': ['Working |\b', '/\b-\b\\\b', '|\b/\b', '-\b', '\\\b', '|\b'],
  'a spinner of words': ['\rWaiting', '\rWaiting.\rWaiting..', '\rWaiting', '\rWaiting.', '\rWaiting..', '\rWaiting'],
  'a coloured one': ['\x1b[1m\r  9%\x1b[0m', '\r 10%', '\r\x1b[31m 10%', '\r\x1b[32m 10%', '\r 10%'],
  'a line for each second': [1, 2, 3, 4, 5].map(second => `[10:00:0${second}] no network after ${second}.5 s\n`),
  'curl, its rows as lines': [7, 6, 5, 4, 3].map(
    k => `  3  341M    3 12.3M    0     0  ${k}735k      0  0:01:0${k}  0:00:02  0:00:5${k} 5736k\n`,
  ),
};

describe('a meter that stands still is no sign of life', () => {
  test.each(Object.entries(stalled))('%s', (_, outputs) => {
    const all = news(...outputs);
    expect(all.slice(0, 3)).toContain(true);
    expect(all.slice(3)).toEqual(outputs.slice(3).map(() => false));
  });

  test.each(Object.entries(stalled))('%s, cut at any place', (_, outputs) => {
    // A line is known when the next one begins.
    const [begun, rest] = [outputs.slice(0, 3).join(''), outputs.slice(3).join('')];
    fc.assert(
      fc.property(fc.array(fc.nat(rest.length), { maxLength: 20 }), places => {
        const cuts = [0, ...places.toSorted((a, b) => a - b), rest.length];
        const it = new News();
        it.feed(begun);
        for (const [nth, at] of cuts.entries()) expect(it.feed(rest.slice(at, cuts[nth + 1]))).toBe(false);
      }),
    );
  });
});

describe('news', () => {
  test.each<[string, readonly string[]]>([
    [
      'a meter that moves slowly',
      [
        '\r  3  341M    3 12.3M    0     0  10.2M      0  0:00:33  0:00:01  0:00:32 10.2M\r',
        '  3  341M    3 12.4M    0     0   100k      0  0:01:00  0:00:02  0:00:58   100\r',
        '  3  341M    3 12.5M    0     0   100k      0  0:01:28  0:00:03  0:01:25   100\r',
      ],
    ],
    ["wget's dots", [' 12650K ....', '.', '.', '...... ..........  3%  675M 3s\n 12700K', ' .', '.']],
    [
      'what a script says without line ends',
      ['[#] Bundling extensions... ', '[OK]', '[#] Packing ramdisk... ', '[OK]'],
    ],
    ['lines', ['Cloning\n', 'patching a\n', 'patching b\n']],
    [
      "git's phases",
      ['Receiving objects: 100% (9/9)\r', 'Receiving objects: 100% (9/9), done.\n', 'Resolving deltas: 0%\r'],
    ],
    ['attempts', ['Retrying (try 2)\n', 'Retrying (try 3)\n']],
  ])('%s', (_, outputs) => {
    expect(news(...outputs)).toEqual(outputs.map(() => true));
  });

  test('the second of two downloads of one size', () => {
    const row = (percent: number) =>
      `\r ${percent}  341M   ${percent} ${percent * 3.41}M    0     0  1024k      0  0:05:33  0:00:01  0:05:32 1024k`;
    const whole = Array.from({ length: 100 }, (_, percent) => row(percent));
    const it = new News();
    for (const line of whole) it.feed(line);
    expect(whole.map(line => it.feed(line)).filter(Boolean).length).toBeGreaterThan(90);
  });

  test('the same line after much else', () => {
    const it = new News();
    it.feed('Checking\n');
    for (let i = 0; i < 64; i++) it.feed(`patching ${i}\n`);
    expect(it.feed('Checking\n')).toBe(true);
  });

  test('nothing and blanks are none', () => {
    expect(news('', ' ', '\n', '\r', '\b', '\x1b[0m', '   \n')).toEqual(Array(7).fill(false));
  });
});

describe('where it stands', () => {
  const stands = (text: string) => {
    const it = new News();
    it.feed(text);
    return it.stands;
  };
  test.each([
    ['curl', '12.3M of 341M'],
    ['curl that does not know the size', '12.3M of 12.3M'],
    ['curl that never connects', '0'],
    ['curl -#', '3.6%'],
    ['GNU wget', '/dev/null 3% 12.40M eta'],
    ['git', 'Receiving objects 12% (120/1000), 1.20 MiB'],
    ['a spinner', null],
    ['a line for each second', null],
  ])('%s: %s', (name, expected) => {
    expect(stands(stalled[name]?.join('') ?? '')).toBe(expected);
  });

  test('not at what came before the last line', () => {
    expect(stands(`${stalled['curl']?.join('')}\nUnpacking 7 files\n`)).toBeNull();
    expect(stands('')).toBeNull();
  });

  test('the server of the last URL, and nobody who logs in there', () => {
    const it = new News();
    expect(it.host).toBeNull();
    it.feed('Cloning https://github.com/x/y\nfrom URL : https://me:pass@global.download.syno');
    it.feed('logy.com/download/DSM.pat\n\r  3  341M');
    expect(it.host).toBe('global.download.synology.com');
  });
});

/** Without a limit to each line, some of these would take hours. */
test.each(['1', '-', '1:', ' 1', 'x\n', 'https://'])('a flood of %j is read to its end', part => {
  const it = new News();
  const piece = part.repeat(65_536 / part.length);
  expect(it.feed(piece)).toBe(part !== '-');
  for (let i = 0; i < 10; i++) it.feed(piece);
  expect(it.feed('the end\n')).toBe(true);
});
