import { expect, test } from 'vitest';
import { afterwards, newest } from '../../src/mqtt/protocol-version.ts';

type Outcome = Parameters<typeof afterwards>[1];

/** What is spoken at each attempt, `?` marking a trial, given the outcome of each. */
function attempts(...outcomes: Outcome[]): string[] {
  let protocol = newest;
  const spoken = [];
  for (const outcome of outcomes) {
    spoken.push(`${protocol.version}${protocol.trial ? '?' : ''}`);
    protocol = afterwards(protocol, outcome);
  }
  return [...spoken, `${protocol.version}${protocol.trial ? '?' : ''}`];
}

test.each<{ what: string; outcomes: Outcome[]; expected: string[] }>([
  {
    what: 'a broker of today',
    outcomes: ['opened', 'closed', 'unreachable', 'opened'],
    expected: ['5', '5', '5', '5', '5'],
  },
  {
    what: 'one that says it is older, and stays so',
    outcomes: ['version', 'opened', 'closed', 'closed_early', 'opened'],
    expected: ['5', '4', '4', '4', '4', '4'],
  },
  {
    what: 'one that only hangs up',
    outcomes: ['closed_early', 'done', 'closed_early', 'opened', 'closed'],
    expected: ['5', '4?', '5', '4', '4', '4'],
  },
  {
    what: 'a dead one behind something that accepts',
    outcomes: ['closed_early', 'closed_early', 'closed_early', 'unreachable', 'opened'],
    expected: ['5', '4?', '5', '4?', '5', '5'],
  },
  {
    what: 'one that came to life in between',
    outcomes: ['closed_early', 'done', 'opened', 'closed', 'closed_early', 'done'],
    expected: ['5', '4?', '5', '5', '5', '4?', '5'],
  },
  {
    what: 'a trial is no proof after something else went wrong',
    outcomes: ['closed_early', 'done', 'timed_out', 'closed_early'],
    expected: ['5', '4?', '5', '5', '4?'],
  },
  {
    what: 'an old one that was replaced by one that speaks 5 only',
    outcomes: ['version', 'opened', 'version', 'opened'],
    expected: ['5', '4', '4', '5', '5'],
  },
])('$what', ({ outcomes, expected }) => {
  expect(attempts(...outcomes)).toEqual(expected);
});
