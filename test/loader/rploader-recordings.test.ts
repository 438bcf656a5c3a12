/** What the real rploader.sh said, release by release, and what the product makes of it. */
import { describe, expect, test } from 'vitest';
import { tcrp } from '../../src/loader/tcrp/index.ts';
import { judgeStep } from '../../src/loader/tcrp/outcome.ts';
import { recordings, releases, stepOf } from '../contract/recordings.ts';

/** What it says of each that did not go well, in every release or as each has it. */
const failed: Readonly<Record<string, string | Readonly<Record<string, string>>>> = {};

test('there are recordings of five releases', () => {
  expect(releases).toEqual(['0.9.2.9', '0.9.4.3', '0.9.4.6', '0.9.4.9c', '0.10.0.0']);
});

describe.each(releases)('of %s', release => {
  test.each(recordings(release))('$name', ({ name, step: stepName, exit, output }) => {
    const expected = failed[name] ?? 'ok';
    const step = stepOf(stepName);
    const outcome = judgeStep(step, output, exit);
    expect(outcome.ok ? 'ok' : outcome.code).toBe(
      typeof expected === 'string' ? expected : (expected[release] ?? 'ok'),
    );
    const judge = tcrp.judge(step);
    for (const character of output) judge.take(character);
    expect(judge.end(exit)).toEqual(outcome);
  });
});
