/** One bad check is no verdict; what is said in so many words is one at once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cause, causes, diagnoses } from '../../../src/checks/diagnosis/diagnoses.ts';
import { type Debounced, debounce } from '../../../src/checks/engine/debounce.ts';

const at = (cause: Cause, failures = 0): Debounced => ({ cause, since: 0, failures });

describe('what a check finds', () => {
  test.each<[before: Cause, found: Cause, after: Cause, failures: number]>([
    ['up', 'up', 'up', 0],
    ['up', 'silent', 'up', 1],
    ['up', 'port_closed', 'up', 1],
    ['up', 'address_unknown', 'up', 1],
    ['up', 'unseen', 'up', 1],
    ['up', 'behind', 'up', 1],
    ['hangs', 'behind', 'behind', 0],
    ['booting', 'loader', 'booting', 1],
    ['booting', 'loader_passing', 'loader_passing', 0],
    ['port_closed', 'silent', 'port_closed', 1],
    ['not_checked', 'silent', 'not_checked', 1],
    ['booting', 'silent', 'booting', 1],
    ['up', 'off', 'off', 0],
    ['up', 'installer', 'installer', 0],
    ['up', 'booting', 'booting', 0],
    ['up', 'updating', 'updating', 0],
    ['updating', 'starting', 'updating', 1],
    ['updating_late', 'booting_dsm', 'updating_late', 1],
    ['updating', 'up', 'up', 0],
    ['updating', 'installer', 'installer', 0],
    ['up', 'absent', 'absent', 0],
    ['silent', 'port_closed', 'port_closed', 0],
    ['silent', 'ports_closed', 'ports_closed', 0],
    ['silent', 'up', 'up', 0],
    ['port_closed', 'cut_off', 'cut_off', 0],
    ['off', 'booting', 'booting', 0],
  ])('%s, then %s: %s', (before, found, after, failures) => {
    expect(debounce(at(before), found, 2, 9)).toMatchObject({ cause: after, failures });
  });

  test('since when is that of the verdict', () => {
    expect(debounce(at('silent'), 'taken', 2, 9)).toEqual({ cause: 'taken', since: 0, failures: 0 });
    expect(debounce(at('silent'), 'up', 2, 9)).toEqual({ cause: 'up', since: 9, failures: 0 });
    expect(debounce(at('not_checked'), 'up', 2, 9).since).toBe(9);
  });
});

test('whatever is found in whatever order: silence counts when it was found as often as asked for, and not before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...causes), { maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      (found, needed) => {
        let debounced = at('not_checked');
        for (const cause of found) {
          const before = debounced;
          debounced = debounce(before, cause, needed, 1);
          expect(debounced.failures).toBeLessThan(needed);
          const held = debounced.cause !== cause;
          if (held) {
            expect(debounced).toEqual({ ...before, failures: before.failures + 1 });
            const doubted = ['unreachable', 'degraded', 'unknown', 'loader'];
            if (diagnoses[before.cause].verdict === 'updating') doubted.push('starting', 'booting');
            expect(doubted).toContain(diagnoses[cause].verdict);
          } else expect(debounced.failures).toBe(0);
        }
        // The last one again and again is believed in the end.
        const last = found.at(-1);
        for (let i = 0; last && i < needed; i++) debounced = debounce(debounced, last, needed, 2);
        if (last) expect(debounced.cause).toBe(last);
      },
    ),
  );
});
