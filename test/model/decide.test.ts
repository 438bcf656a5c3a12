/** What a command means for a VM as it is, and for what is under way: every cell, written out by hand. */
import { describe, expect, test } from 'vitest';
import {
  type CommandWord,
  commandWords,
  type Interruption,
  interruption,
  type Occupation,
  occupations,
  rowOf,
} from '../../src/model/commands.ts';
import { type Domain, domainStates } from '../../src/model/domain.ts';
import { decide } from '../../src/model/policy.ts';
import { active, domain, off } from './samples.ts';

const situations = [...domainStates, 'absent'] as const;

/** `already`: nothing to do. `no`: refused. Anything else is done. The columns are those of `situations`. */
const meanings: Record<CommandWord, string> = {
  //            running    idle       paused     shutting_d shut_off   crashed    pmsuspend. unknown    absent
  start: '      already    already    resume     no         start      no         wake_up    start      no',
  shutdown: '   shutdown   shutdown   no         shutdown   already    no         no         shutdown   no',
  reboot: '     reboot     reboot     no         no         no         no         no         reboot     no',
  suspend: '    suspend    suspend    already    no         no         no         no         suspend    no',
  resume: '     already    already    resume     no         no         no         wake_up    resume     no',
  reset: '      reset      reset      no         no         no         no         no         reset      no',
  force_off: '  force_off  force_off  force_off  force_off  already    force_off  force_off  force_off  no',
  screenshot: ' screenshot screenshot screenshot screenshot no         screenshot screenshot screenshot no',
  autostart: '  autostart  autostart  autostart  autostart  autostart  autostart  autostart  autostart  no',
  rebuild: '    rebuild    rebuild    no         no         rebuild    no         no         rebuild    no',
  rollback: '   rollback   rollback   no         no         rollback   no         no         rollback   no',
  arm: '        arm        arm        arm        arm        arm        arm        arm        arm        arm',
  check: '      check      check      check      check      check      check      check      check      check',
  quiet: '      quiet      quiet      quiet      quiet      quiet      quiet      quiet      quiet      quiet',
  refresh: '    refresh    refresh    refresh    refresh    refresh    refresh    refresh    refresh    refresh',
  cancel: '     cancel     cancel     cancel     cancel     cancel     cancel     cancel     cancel     cancel',
};

const cells = commandWords.flatMap(word => {
  const row = meanings[word].trim().split(/ +/);
  expect(row).toHaveLength(situations.length);
  return situations.map((situation, column) => ({ word, situation, meaning: row[column] }));
});

/** What `decide` says of it, in a word. */
function meaning(word: CommandWord, now: Domain | null): string {
  const decision = decide(word, now);
  if (decision.do === 'run') return decision.call === (rowOf(word).call ?? null) ? word : `${decision.call}`;
  expect(decision.message).not.toBe('');
  return decision.do === 'nothing' ? 'already' : 'no';
}

describe('what a command means', () => {
  test.each(cells)('$word, $situation: $meaning', ({ word, situation, meaning: expected }) => {
    const now = situation === 'absent' ? null : { ...domain, state: situation, active: situation !== 'shut_off' };
    expect(meaning(word, now)).toBe(expected);
  });

  test('a refusal says what to do instead', () => {
    const message = (word: CommandWord, now: Domain) => JSON.stringify(decide(word, now));
    expect(message('shutdown', active('paused'))).toContain('resume it first');
    expect(message('shutdown', active('pmsuspended'))).toContain('resume it first');
    expect(message('start', active('crashed', 'panicked'))).toContain('cut its power first');
    for (const word of ['reboot', 'resume'] as const) expect(message(word, off)).toContain('start it');
  });

  test.each(commandWords)('%s of one that has crashed and is gone: as if it were off', word => {
    const gone: Domain = { ...domain, state: 'crashed', reason: 'unknown', active: false };
    expect(meaning(word, gone)).toBe(meaning(word, off));
  });

  test.each(domainStates)('a transient domain cannot start with the host, %s neither', state => {
    const transient = { ...domain, state, active: state !== 'shut_off', persistent: false };
    expect(decide('autostart', transient)).toMatchObject({
      do: 'reject',
      message: expect.stringContaining('transient'),
    });
    expect(meaning('refresh', transient)).toBe('refresh');
    expect(meaning('force_off', transient)).toBe(state === 'shut_off' ? 'already' : 'force_off');
  });
});

describe('while DSM updates', () => {
  test.each(commandWords)('%s', word => {
    const refused: readonly CommandWord[] = ['reboot', 'reset', 'rebuild', 'rollback'];
    const decision = decide(word, domain, 'updating');
    if (refused.includes(word))
      expect(decision).toMatchObject({ do: 'reject', message: expect.stringMatching(/^DSM is being .*updated: /) });
    else expect(decision).toEqual(decide(word, domain));
    expect(decide(word, off, 'updating')).toEqual(decide(word, off));
    expect(decide(word, domain, 'recoverable')).toEqual(decide(word, domain));
  });
});

describe('who may interrupt whom', () => {
  const columns = commandWords;
  /** Under way, and what becomes of each command that comes in. */
  const expected: Record<Occupation, Partial<Record<CommandWord, Interruption>>> = {
    // Between off and start nothing has been asked of libvirt: whoever wants it off has it off.
    waiting: { shutdown: 'drop', force_off: 'replace', cancel: 'end' },
    shutdown: { start: 'keep', shutdown: 'amend', force_off: 'replace', cancel: 'end' },
    reboot: { shutdown: 'replace', force_off: 'replace', cancel: 'end' },
    // What libvirt is at cannot be taken back.
    call: {},
    rebuild: { shutdown: 'replace', cancel: 'end' },
  };
  const beside: readonly CommandWord[] = ['screenshot', 'autostart', 'arm', 'check', 'quiet', 'refresh'];
  const rows = (Object.keys(expected) as Occupation[]).flatMap(occupation =>
    columns.map(word => ({
      ...{ occupation, word },
      result: expected[occupation][word] ?? (beside.includes(word) ? 'beside' : 'busy'),
    })),
  );

  test('these can be under way', () => {
    expect([...occupations].sort()).toEqual(Object.keys(expected).sort());
  });

  test.each(rows)('$occupation under way, $word comes: $result', ({ occupation, word, result }) => {
    expect(interruption(occupation, word)).toBe(result);
  });
});
