import { describe, expect, test } from 'vitest';
import { domainStates } from '../../src/model/domain.ts';
import { stateWords } from '../../src/vm/state.ts';

test.each([
  [0, 0, 'unknown', 'unknown'],
  [1, 1, 'running', 'booted'],
  [1, 5, 'running', 'unpaused'],
  [1, 11, 'running', 'postcopy_failed'],
  [2, 0, 'idle', 'unknown'],
  [3, 1, 'paused', 'user'],
  [3, 5, 'paused', 'io_error'],
  [3, 14, 'paused', 'api_error'],
  [4, 1, 'shutting_down', 'user'],
  [5, 1, 'shut_off', 'shutdown'],
  [5, 2, 'shut_off', 'destroyed'],
  [5, 3, 'shut_off', 'crashed'],
  [5, 8, 'shut_off', 'daemon'],
  [6, 1, 'crashed', 'panicked'],
  [7, 0, 'pmsuspended', 'unknown'],
])('%i/%i is %s (%s)', (state, reason, word, why) => {
  expect(stateWords(state, reason)).toEqual({ state: word, reason: why });
});

test('every word is one that a number stands for', () => {
  const words = Array.from({ length: 8 }, (_, state) => stateWords(state, 0).state);
  expect(new Set(words)).toEqual(new Set(domainStates));
});

describe('what a newer libvirt invents', () => {
  test.each([
    [8, 0, 'unknown', 'state_8'],
    [-1, 3, 'unknown', 'state_-1'],
    [5, 42, 'shut_off', 'reason_42'],
    [1, -1, 'running', 'reason_-1'],
  ])('%i/%i is %s (%s)', (state, reason, word, why) => {
    expect(stateWords(state, reason)).toEqual({ state: word, reason: why });
  });
});
