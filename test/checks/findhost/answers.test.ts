/** Answers are kept, found by whose they are, and not kept without end. */
import { expect, test } from 'vitest';
import { Answers, type Heard } from '../../../src/checks/findhost/answers.ts';
import { parsePacket } from '../../../src/checks/findhost/packet.ts';
import { encodeReply } from '../../fakes/dsm/findhostd.ts';

function heard(mac: string | null, from: string, at: number): Heard {
  const packet = parsePacket(encodeReply({ mac }));
  if (!packet) throw new Error('that is no answer');
  return { packet, from, at };
}
const mac = (number: number) => `52:54:00:00:00:${number.toString(16).padStart(2, '0')}`;

test('by MAC or by address, the latest one, and none that is too old', () => {
  const answers = new Answers(9);
  for (const at of [1, 2]) answers.add(heard(mac(1), '10.0.0.1', at));
  answers.add(heard(mac(1), '10.0.0.2', 3));
  answers.add(heard(null, '10.0.0.3', 4));
  const find = (macs: string[], addresses: string[], since = 0) => answers.find({ macs, addresses }, since)?.at ?? null;
  expect(find([mac(1)], [])).toBe(3);
  expect(find([], ['10.0.0.1'])).toBe(2);
  expect(find([mac(7)], ['10.0.0.3'])).toBe(4);
  expect(find([mac(1)], [], 3)).toBe(3);
  expect(find([mac(1)], [], 4)).toBeNull();
  expect(find([mac(7)], ['10.0.0.9'])).toBeNull();
  expect(find([], [])).toBeNull();
});

test('an address that another device has by now does not count before the MAC', () => {
  const answers = new Answers(9);
  answers.add(heard(mac(1), '10.0.0.7', 1));
  answers.add(heard(mac(2), '10.0.0.1', 2));
  expect(answers.find({ macs: [mac(1)], addresses: ['10.0.0.1'] }, 0)?.from).toBe('10.0.0.7');
});

test('the oldest goes when there are too many, and who was heard again is not the oldest', () => {
  const answers = new Answers(3);
  for (const number of [1, 2, 3, 1, 4]) answers.add(heard(mac(number), `10.0.0.${number}`, number));
  const known = [1, 2, 3, 4].filter(number => answers.find({ macs: [mac(number)], addresses: [] }, 0));
  expect(known).toEqual([1, 3, 4]);
});
