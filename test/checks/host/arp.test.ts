import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answersIn, type Neighbour, parseArp, readArp } from '../../../src/checks/host/arp.ts';
import { arpTable, FakeHost } from './fake-host.ts';

const anyMac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map(bytes => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':'));

/** As Linux 6.18 wrote it of a guest, of nobody, and of one that has gone. */
const real = `IP address       HW type     Flags       HW address            Mask     Device
10.99.0.20       0x1         0x2         52:54:00:d5:30:01     *        br0
10.99.0.21       0x1         0x0         00:00:00:00:00:00     *        br0
10.99.0.22       0x1         0x0         52:54:00:d5:30:02     *        br0
10.99.0.23       0x1         0x6         52:54:00:D5:30:03     *        br0.12
`;

test('of the kernel’s own table those that have answered', () => {
  expect(parseArp(real)).toEqual([
    { address: '10.99.0.20', mac: '52:54:00:d5:30:01' },
    { address: '10.99.0.23', mac: '52:54:00:d5:30:03' },
  ]);
});

test('anything in between is passed over, and what is written is read', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.ipV4(), anyMac)), fc.string({ unit: 'grapheme-ascii' }), (rows, noise) => {
      const table = `${noise.replaceAll('\n', ' ')}\n${arpTable(...rows)}`;
      expect(parseArp(table).map(({ address, mac }) => [address, mac])).toEqual(rows);
    }),
  );
});

test('from the file, or nothing without it', async () => {
  await using host = await FakeHost.make();
  expect(readArp(host.root)).toEqual([]);
  await host.arp(['10.99.0.20', '52:54:00:d5:30:01']);
  expect(readArp(host.root)).toHaveLength(1);
});

test('a table without an end is not read to its end', async () => {
  await using host = await FakeHost.make();
  await mkdir(join(host.root, 'proc/net'), { recursive: true });
  await writeFile(join(host.root, 'proc/net/arp'), `${real}${' '.repeat(2 * 1024 ** 2)}\n${real}`);
  expect(readArp(host.root)).toHaveLength(2);
});

describe('who answers where', () => {
  const mine = '52:54:00:d5:30:01';
  const other = '00:11:32:00:00:01';
  const at = (address: string, mac: string): Neighbour => ({ address, mac });
  const nobody = { here: null, elsewhere: null, taken: null, all: false };

  test.each<[string, Neighbour[], object]>([
    ['nobody', [], nobody],
    ['the guest', [at('10.0.0.5', mine)], { ...nobody, here: '10.0.0.5' }],
    ['the guest at its second', [at('10.0.0.6', mine)], { ...nobody, here: '10.0.0.6' }],
    ['another', [at('10.0.0.5', other)], { ...nobody, taken: at('10.0.0.5', other) }],
    [
      'two others',
      [at('10.0.0.5', other), at('10.0.0.6', other)],
      { ...nobody, taken: at('10.0.0.5', other), all: true },
    ],
    ['the guest elsewhere', [at('10.0.0.9', mine), at('10.0.0.8', other)], { ...nobody, elsewhere: '10.0.0.9' }],
  ])('%s', (_, table, expected) => {
    expect(answersIn(table, [mine], ['10.0.0.5', '10.0.0.6'])).toEqual(expected);
  });
});
