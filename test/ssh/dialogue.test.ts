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

/** Output, and for how long nothing follows it. */
type Talk = (string | number)[];

/** Says the pieces at one moment each, waits that long after each, and returns what is done other than wait. */
function play(talk: Talk, given = prompts) {
  const dialogue = new Dialogue(given, { settle, patience });
  const plain = new Plain();
  const steps: Exclude<Step, { kind: 'wait' }>[] = [];
  let now = 5_000;
  for (const piece of talk) {
    if (typeof piece === 'string') {
      dialogue.feed(plain.feed(piece), now);
      continue;
    }
    const end = now + piece;
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
const no = answer('newer_script', 'n');
const yes = answer('update_config', 'y');

test.each<[what: string, talk: Talk, answers: unknown[]]>([
  ['a prompt without a line feed', [newer, 200], [no]],
  ['with blanks after it', [`${newer}  `, 200], [no]],
  ['with a line feed', [`${update}\n`, 200], [yes]],
  ['with that of a terminal', [`${update}\r\n`, 200], [yes]],
  ['ENTER alone', ['Override # of ports or ENTER to accept <6> ', 200], [answer('ports', '')]],
  ['behind other output without line feeds', [`[#] Updating... [OK]${newer}`, 200], [no]],
  ['in colours', [`\x1b[1;33m${newer.replace('that', '\x1b[4mthat\x1b[24m')}\x1b[0m`, 200], [no]],
  ['after a long output', ['x'.repeat(100_000), 0, newer, 200], [no]],
  ['each in turn', [newer, 200, `\n${update}\n`, 200], [no, yes]],
  ['once, however long it takes then', [newer, 50_000, '\n', 50_000], [no]],
  ['as often as it is asked', [update, 200, update, 200], [yes, yes]],
])('answers %s', (_, talk, answers) => expect(play(talk)).toEqual(answers));

describe('answers nothing', () => {
  test.each<[what: string, talk: Talk]>([
    ['before the output pauses', [newer, settle - 1, '\nVersion is current\n', 50_000]],
    ['to a part', [newer.slice(0, -1), 50_000]],
    ['to what is said in passing', [`echo "${newer}"; read answer\n`, 50_000]],
    ['to silence', ['', 50_000]],
    ['to what only ends in a bracket', ['menuentry [Tiny Core]', 50_000]],
    ['to a progress meter', ['\r 12 300M   12  36M', 50_000]],
    ['to a question with its answer on the next line', ['Continue?\nyes\n', 50_000]],
    ['to a question in a line of its own', ['What now?\n', 50_000]],
  ])('%s', (_, talk) => expect(play(talk)).toEqual([]));

  test('while nobody listens', () => {
    const dialogue = new Dialogue(prompts, { settle, patience });
    dialogue.feed(newer, 0);
    dialogue.feed('', 90);
    expect(dialogue.next(150)).toEqual({ kind: 'wait', until: 190 });
    expect(dialogue.next(190)).toEqual(no);
  });
});

describe('tells an unknown question', () => {
  const agree = 'If you agree with the above, please answer [Yy/Nn]';
  const menu = 'select which one\n1) sda\n2) sdb\n#?';
  test.each<[what: string, said: string, text: string]>([
    ['yes or no', 'Checking\nDo you agree [yY/nN] : ', 'Do you agree [yY/nN] :'],
    ['yes or no, in a line', `${agree}\n`, agree],
    ['in round brackets', 'Overwrite? (y/N) ', 'Overwrite? (y/N)'],
    ['spelt out', 'Go on [yes/no]:', 'Go on [yes/no]:'],
    ['a question mark', 'Are you sure? ', 'Are you sure?'],
    ['a menu, with what is to be chosen', `${menu} `, menu],
    ['a password', '[sudo] password for tc: ', '[sudo] password for tc:'],
    ['and only its end, of a long line', `${'x'.repeat(5_000)} really? `, `${'x'.repeat(292)} really?`],
  ])('%s', (_, said, text) => {
    expect(play([said, patience - 1])).toEqual([]);
    expect(play([said, 50_000])).toEqual([unknown(text)]);
  });

  test('one that is asked once too often', () => {
    expect(play([update, 200, update, 200, update, 2_000])).toEqual([yes, yes, unknown(update, 'update_config')]);
  });

  test('of a pattern that is kept from one prompt to the next, nothing is remembered', () => {
    const sticky: Prompt[] = [{ name: 'a', pattern: /go on/gy, answer: 'y', times: 2 }];
    expect(play(['go on', 200, 'go on', 200], sticky)).toEqual([answer('a', 'y'), answer('a', 'y')]);
  });
});

test('cut anywhere, the same is done, for any output', () => {
  const others = ['ENTER to accept <4> ', 'Are you sure? ', '\x1b[1m', '\n', ' ', '[', 'x'];
  const saying = fc.record({
    text: fc
      .array(fc.constantFrom(newer, update, ...others), { minLength: 1, maxLength: 4 })
      .map(words => words.join('')),
    cuts: fc.array(fc.nat(200), { maxLength: 5 }),
    wait: fc.constantFrom(settle - 1, settle, patience, patience * 2),
  });
  fc.assert(
    fc.property(fc.array(saying, { maxLength: 5 }), sayings => {
      const cut = sayings.flatMap(({ text, cuts, wait }) => {
        const places = [0, ...cuts.map(each => each % (text.length + 1)).sort((a, b) => a - b), text.length];
        return [...places.slice(1).flatMap((to, i) => [text.slice(places[i], to), 0]), wait];
      });
      expect(play(cut)).toEqual(play(sayings.flatMap(({ text, wait }) => [text, wait])));
    }),
  );
});
