import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Dialogue, type Prompt, type Step } from '../../src/ssh/dialogue.ts';
import { Plain } from '../../src/ssh/plain.ts';

const settle = 100;
const patience = 1_000;
const prompts: Prompt[] = [
  { name: 'newer_script', pattern: /should we use that \? \[yY\/nN\]/, answer: 'n' },
  { name: 'update_config', pattern: /with these values \? \[Yy\/Nn\]/, answer: 'y', times: 2 },
  { name: 'ports', pattern: /ENTER to accept <\d+>/, answer: '', times: 9 },
];
const newer = 'There is a newer version of the script on the repo should we use that ? [yY/nN]';
const update = 'Should i update the user_config.json with these values ? [Yy/Nn]';

/** Says the pieces at one moment each, waits that long after each, and returns what is done other than wait. */
function play(pieces: readonly (readonly [text: string, wait: number])[], given = prompts) {
  const dialogue = new Dialogue(given, { settle, patience });
  const plain = new Plain();
  const steps: Exclude<Step, { kind: 'wait' }>[] = [];
  let now = 5_000;
  for (const [text, wait] of pieces) {
    dialogue.feed(plain.feed(text), now);
    const end = now + wait;
    for (let due: number | null = now; due !== null && due <= end; ) {
      now = due;
      const step = dialogue.next(now);
      if (step.kind === 'wait') due = step.until;
      else steps.push(step);
    }
    now = end;
  }
  return steps;
}
const answer = (name: string, text: string) => ({ kind: 'answer', name, text });
const unknown = (text: string, name: string | null = null) => ({ kind: 'unknown_prompt', name, text });

describe('answers', () => {
  const cases: [string, readonly (readonly [string, number])[], unknown[]][] = [
    ['a prompt without a line feed', [[newer, 200]], [answer('newer_script', 'n')]],
    ['with blanks after it', [[`${newer}  `, 200]], [answer('newer_script', 'n')]],
    ['with a line feed', [[`${update}\n`, 200]], [answer('update_config', 'y')]],
    ['with that of a terminal', [[`${update}\r\n`, 200]], [answer('update_config', 'y')]],
    ['ENTER alone', [['Override # of ports or ENTER to accept <6> ', 200]], [answer('ports', '')]],
    ['behind other output without line feeds', [[`[#] Updating... [OK]${newer}`, 200]], [answer('newer_script', 'n')]],
    [
      'in colours',
      [[`\x1b[1;33m${newer.replace('that', '\x1b[4mthat\x1b[24m')}\x1b[0m`, 200]],
      [answer('newer_script', 'n')],
    ],
    [
      'after a long output',
      [
        ['x'.repeat(100_000), 0],
        [newer, 200],
      ],
      [answer('newer_script', 'n')],
    ],
    [
      'each in turn',
      [
        [newer, 200],
        [`\n${update}\n`, 200],
      ],
      [answer('newer_script', 'n'), answer('update_config', 'y')],
    ],
    [
      'once, however long it takes then',
      [
        [newer, 50_000],
        ['\n', 50_000],
      ],
      [answer('newer_script', 'n')],
    ],
    [
      'as often as it is asked',
      [
        [update, 200],
        [update, 200],
      ],
      [answer('update_config', 'y'), answer('update_config', 'y')],
    ],
  ];
  test.each(cases)('%s', (_, pieces, expected) => expect(play(pieces)).toEqual(expected));
});

describe('answers nothing', () => {
  const cases: [string, readonly (readonly [string, number])[]][] = [
    [
      'before the output pauses',
      [
        [newer, settle - 1],
        ['\nVersion is current\n', 50_000],
      ],
    ],
    ['to a part', [[newer.slice(0, -1), 50_000]]],
    ['to what is said in passing', [[`echo "${newer}"; read answer\n`, 50_000]]],
    ['to silence', [['', 50_000]]],
    ['to what only ends in a bracket', [['menuentry [Tiny Core]', 50_000]]],
    ['to a progress meter', [['\r 12 300M   12  36M', 50_000]]],
    ['to a question with its answer on the next line', [['Continue?\nyes\n', 50_000]]],
    ['to a question in a line of its own', [['What now?\n', 50_000]]],
  ];
  test.each(cases)('%s', (_, pieces) => expect(play(pieces)).toEqual([]));

  test('while nobody listens', () => {
    const dialogue = new Dialogue(prompts, { settle, patience });
    dialogue.feed(newer, 0);
    dialogue.feed('', 90);
    expect(dialogue.next(150)).toEqual({ kind: 'wait', until: 190 });
    expect(dialogue.next(190)).toEqual(answer('newer_script', 'n'));
  });
});

describe('tells an unknown question', () => {
  const cases: [string, string, string][] = [
    ['yes or no', 'Checking\nDo you agree [yY/nN] : ', 'Do you agree [yY/nN] :'],
    [
      'yes or no, in a line',
      'If you agree with the above, please answer [Yy/Nn]\n',
      'If you agree with the above, please answer [Yy/Nn]',
    ],
    ['in round brackets', 'Overwrite? (y/N) ', 'Overwrite? (y/N)'],
    ['spelt out', 'Go on [yes/no]:', 'Go on [yes/no]:'],
    ['a question mark', 'Are you sure? ', 'Are you sure?'],
    [
      'a menu, with what is to be chosen',
      'select which one\n1) sda\n2) sdb\n#? ',
      'select which one\n1) sda\n2) sdb\n#?',
    ],
    ['a password', '[sudo] password for tc: ', '[sudo] password for tc:'],
  ];
  test.each(cases)('%s', (_, said, text) => {
    expect(play([[said, patience - 1]])).toEqual([]);
    expect(play([[said, 50_000]])).toEqual([unknown(text)]);
  });

  test('one that is asked once too often', () => {
    expect(
      play([
        [update, 200],
        [update, 200],
        [update, 2_000],
      ]),
    ).toEqual([answer('update_config', 'y'), answer('update_config', 'y'), unknown(update, 'update_config')]);
  });

  test('and only its end, of a long line', () => {
    expect(play([[`${'x'.repeat(5_000)} really? `, 2_000]])).toEqual([unknown(`${'x'.repeat(292)} really?`)]);
  });

  test('of a pattern that is kept from one prompt to the next, nothing is remembered', () => {
    const sticky: Prompt[] = [{ name: 'a', pattern: /go on/gy, answer: 'y', times: 2 }];
    expect(
      play(
        [
          ['go on', 200],
          ['go on', 200],
        ],
        sticky,
      ),
    ).toHaveLength(2);
  });
});

describe('cut anywhere', () => {
  const script = `getvars\n\x1b[32mOK\x1b[0m${newer}`;
  test('at every character', () => {
    for (let at = 0; at <= script.length; at++) {
      expect(
        play([
          [script.slice(0, at), settle - 1],
          [script.slice(at), 200],
        ]),
      ).toEqual([answer('newer_script', 'n')]);
    }
    expect(play([...script].map((each, i) => [each, i === script.length - 1 ? 200 : settle - 1] as const))).toEqual([
      answer('newer_script', 'n'),
    ]);
  });

  test('the same is done, for any output', () => {
    const word = fc.constantFrom(
      newer,
      update,
      'ENTER to accept <4> ',
      'Are you sure? ',
      '\x1b[1m',
      '\n',
      ' ',
      '[',
      'x',
    );
    const saying = fc.record({
      text: fc.array(word, { minLength: 1, maxLength: 4 }).map(words => words.join('')),
      cuts: fc.array(fc.nat(200), { maxLength: 5 }),
      wait: fc.constantFrom(settle - 1, settle, patience, patience * 2),
    });
    fc.assert(
      fc.property(fc.array(saying, { maxLength: 5 }), sayings => {
        const whole = sayings.map(({ text, wait }) => [text, wait] as const);
        const cut = sayings.flatMap(({ text, cuts, wait }) => {
          const places = [0, ...cuts.map(each => each % (text.length + 1)).sort((a, b) => a - b), text.length];
          return places
            .slice(1)
            .map((to, i) => [text.slice(places[i], to), i === places.length - 2 ? wait : 0] as const);
        });
        expect(play(cut)).toEqual(play(whole));
      }),
    );
  });
});
