/** Every state in every kind of packet means one thing. */
import { describe, expect, test } from 'vitest';
import type { Packet } from '../../../src/checks/findhost/packet.ts';
import { meaningOf } from '../../../src/checks/findhost/states.ts';

const identity: Packet['identity'] = {
  ...{ name: null, model: null, version: null, update: null },
  ...{ address: null, httpPort: null, httpsPort: null },
};
const packet = (type: number, state: number | null): Packet => ({ type, state, mac: null, identity });

const own = 'what its packet means';
const states = [
  [null, own],
  [0, own],
  [1, own],
  [2, 'installer'],
  [3, 'updating'],
  [4, 'recoverable'],
  [5, 'booting'],
  [6, 'starting'],
  [7, 'starting'],
  [8, 'starting'],
  [9, 'booting'],
  [10, 'starting'],
  [11, 'recoverable'],
  [12, own],
  [13, 'updating'],
  [14, 'migratable'],
  [15, own],
  [255, own],
  [4_294_967_295, own],
] as const;

describe.each([
  [2, 'ready'],
  [6, 'installer'],
  [16, 'recoverable'],
  [20, 'ready'],
  [21, 'installer'],
  [99, 'ready'],
])('in a packet of type %i', (type, meaning) => {
  test.each(states)('state %s', (state, expected) => {
    expect(meaningOf(packet(type, state)).kind).toBe(expected === own ? meaning : expected);
  });
});

test('each is put into words', () => {
  expect(meaningOf(packet(2, 5)).words).toBe('it is still booting');
  for (const type of [2, 6, 16]) {
    for (const [state] of states) expect(meaningOf(packet(type, state)).words).toMatch(/^[a-z].*[a-z]$/i);
  }
});
