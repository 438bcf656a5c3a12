import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { rejectionLog } from '../../src/commands/responder.ts';
import { recorder } from '../mqtt/inbox.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function flood(times: number, key: (nth: number) => string, code: string) {
  const log = recorder();
  const refuse = rejectionLog(log);
  for (let nth = 0; nth < times; nth++) refuse({ vm: key(nth), code });
  return { log, refuse };
}

test('a flood of refused commands: a few lines, then how many there were, and lines again', () => {
  const { log, refuse } = flood(10_000, () => 'DSM', 'invalid_payload');
  refuse({ vm: 'DSM', code: 'busy' });
  refuse({ vm: 'other', code: 'invalid_payload' });
  expect(log.of('command.rejected')).toHaveLength(12);
  vi.advanceTimersByTime(60_000);
  const sum = { level: 'warn', event: 'command.rejected_more', vm: 'DSM', code: 'invalid_payload', more: 9_990 };
  expect(log.of('command.rejected_more')).toEqual([sum]);
  refuse({ vm: 'DSM', code: 'invalid_payload' });
  expect(log.of('command.rejected')).toHaveLength(13);
});

test('a flood to VMs that there are not is one kind, and takes no memory', () => {
  const { log } = flood(1_000, nth => `vm${nth}`, 'unknown_vm');
  expect(log.of('command.rejected')).toHaveLength(10);
  vi.advanceTimersByTime(60_000);
  expect(log.of('command.rejected_more')).toEqual([
    { level: 'warn', event: 'command.rejected_more', code: 'unknown_vm', more: 990 },
  ]);
  expect(vi.getTimerCount()).toBe(0);
});
