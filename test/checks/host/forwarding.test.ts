import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseForwarding } from '../../../src/checks/host/plug.ts';
import { forwardingEntry } from './fake-host.ts';

const anyMac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map(bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':'));

test('an entry of each kind, in both byte orders', () => {
  const little = Buffer.from('525400d53001' + '01' + '00' + 'd2000000' + '02' + '000000', 'hex');
  const big = Buffer.from('fe5400d53001' + '03' + '01' + '00000000' + '00' + '000000', 'hex');
  const heard = { mac: '52:54:00:d5:30:01', port: 513, local: false, age: 2_100 };
  expect(parseForwarding(little, 'LE')).toEqual([heard]);
  expect(parseForwarding(Buffer.concat([little, big]), 'BE')).toEqual([
    { ...heard, age: 0xd2000000 * 10 },
    { mac: 'fe:54:00:d5:30:01', port: 3, local: true, age: 0 },
  ]);
});

test('what is written is read, and half an entry is none', () => {
  const entry = fc.record({
    mac: anyMac,
    port: fc.integer({ min: 0, max: 65_535 }),
    local: fc.boolean(),
    age: fc.integer({ min: 0, max: 300 }),
  });
  fc.assert(
    fc.property(fc.array(entry), fc.uint8Array({ maxLength: 15 }), (entries, rest) => {
      const table = Buffer.concat([...entries.map(forwardingEntry), rest]);
      expect(parseForwarding(table, 'LE')).toEqual(entries.map(each => ({ ...each, age: each.age * 1_000 })));
    }),
  );
});
