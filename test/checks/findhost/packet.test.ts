/** Every answer is read as it is meant, and nothing else is taken for one. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeQuery, type Packet, parsePacket } from '../../../src/checks/findhost/packet.ts';
import { unknownDsm } from '../../../src/model/check.ts';
import { encodeReply, serials } from '../../fakes/dsm/findhostd.ts';
import { ds918, ds1522 } from './captures.ts';

const magic = Buffer.from('1234567853594e4f', 'hex');
const hex = (fields: string) => Buffer.concat([magic, Buffer.from(fields.replaceAll(' ', ''), 'hex')]);
const parse = (bytes: Buffer): Packet => {
  const packet = parsePacket(bytes);
  if (!packet) throw new Error('it was not taken for an answer');
  return packet;
};

test('the question is the shortest one that is answered', () => {
  expect(encodeQuery().toString('hex')).toBe('1234567853594e4fa40400000201010401000000');
});

const usual = { httpPort: 5_000, httpsPort: 5_001 };

describe('answers', () => {
  test.each<[string, Buffer, string, Partial<Packet['identity']>]>([
    [
      'a DS918+',
      ds918,
      '00:11:32:aa:bb:01',
      {
        ...{ name: 'Automatica', model: 'DS918+', version: '7.4.1-90080', update: 0 },
        ...{ address: '10.20.31.9', httpPort: 2_000, httpsPort: 2_001 },
      },
    ],
    [
      'a DS1522+',
      ds1522,
      '00:11:32:aa:bb:02',
      { name: 'NAS', model: 'DS1522+', version: '7.2-64570', update: 3, address: '192.168.1.36', ...usual },
    ],
    [
      'the fake',
      encodeReply(),
      '52:54:00:12:34:56',
      { name: 'diskstation', model: 'DS918+', version: '7.1.1-42962', update: 6, address: '192.168.1.20', ...usual },
    ],
  ])('of %s', (_, bytes, mac, identity) => {
    expect(parsePacket(bytes)).toEqual({ type: 2, state: 1, mac, identity });
  });

  test('that leave everything out', () => {
    expect(parsePacket(hex('0104 02000000'))).toEqual({ type: 2, state: null, mac: null, identity: unknownDsm });
  });

  test.each([2, 6, 16, 20, 21])('of type %i', type => {
    expect(parse(encodeReply({ type })).type).toBe(type);
  });

  test('never bring a serial number', () => {
    for (const bytes of [ds918, ds1522, encodeReply()]) {
      for (const serial of serials) {
        expect(bytes.includes(serial)).toBe(true);
        expect(JSON.stringify(parsePacket(bytes))).not.toContain(serial);
      }
    }
  });
});

test.each([
  ['a MAC in capitals', '1911 35323a35343a30303a41423a43443a4546', { mac: '52:54:00:ab:cd:ef' }],
  ['a MAC with hyphens', '1911 35322d35342d30302d61622d63642d6566', { mac: '52:54:00:ab:cd:ef' }],
  ['no MAC', '1911 30303a30303a30303a30303a30303a3030', { mac: null }],
  ['a MAC in bytes', '1906 525400abcdef', { mac: null }],
  ['a short state', 'a701 05', { state: 5 }],
  ['a state of no length', 'a700', { state: null }],
  ['a state that is too long', 'a705 0500000000', { state: null }],
  ['the second of two states', 'a70405000000 a70401000000', { state: 1 }],
  ['a name that ends with NUL', '1104 6e617300', { identity: { name: 'nas' } }],
  ['a name with control characters', '1109 6e1b5b61e280a80a73', { identity: { name: 'n[as' } }],
  ['a name that is not UTF-8', '1104 6e61ff73', { identity: { name: 'nas' } }],
  ['a name in Chinese', '1106 e4b8ade69687', { identity: { name: '中文' } }],
  ['a name of spaces', '1102 2020', { identity: { name: null } }],
  ['a very long name', `11ff ${'61'.repeat(255)}`, { identity: { name: 'a'.repeat(64) } }],
  ['no address yet', '1204 00000000', { identity: { address: null } }],
  ['an address that is too long', '1206 c0a801010000', { identity: { address: null } }],
  ['port 0', '7504 00000000', { identity: { httpPort: null } }],
  ['a port that is none', '7604 00000100', { identity: { httpsPort: null } }],
  ['a port in two bytes', '7502 8813', { identity: { httpPort: 5_000 } }],
  ['a version without a build', '7705 372e312e31', { identity: { version: '7.1.1' } }],
  ['a build without a version', '4904 d2a70000', { identity: { version: null } }],
])('%s', (_, fields, expected) => {
  expect(parsePacket(hex(`010402000000 ${fields}`))).toMatchObject(expected);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['the magic alone', magic],
  ['text', Buffer.from('M-SEARCH * HTTP/1.1\r\n')],
  ['our own question', encodeQuery()],
  ['a question of V2', encodeReply({ type: 19 })],
  ['settings for a device', encodeReply({ type: 3 })],
  ['an unknown type', encodeReply({ type: 18 })],
  ['no type', encodeReply({ type: null })],
  ['a type of no length', hex('0100')],
  ['the encrypted variant', Buffer.from('1234556653594e4f010402000000', 'hex')],
  ['a last field without a length', hex('010402000000 11')],
  ['a last field that is cut off', hex('010402000000 1109 6e')],
  [
    'far too much',
    Buffer.concat([encodeReply(), ...Array.from({ length: 400 }, () => Buffer.from('540400000000', 'hex'))]),
  ],
])('%s is no answer', (_, bytes) => {
  expect(parsePacket(bytes)).toBeNull();
});

describe('whatever comes', () => {
  /** Where a field ends, and what came until then may be an answer. */
  const ends = (bytes: Buffer) => {
    const ends = new Set([magic.length]);
    for (let at = magic.length; at < bytes.length; ends.add(at)) at += 2 + (bytes[at + 1] ?? 0);
    return ends;
  };

  test.each([
    ['DS918+', ds918],
    ['DS1522+', ds1522],
  ])('the answer of a %s counts only with whole fields', (_, bytes) => {
    const whole = ends(bytes);
    for (let length = 0; length < bytes.length; length++) {
      const packet = parsePacket(bytes.subarray(0, length));
      if (!whole.has(length)) expect(packet, `${length} bytes`).toBeNull();
    }
  });

  const junk = fc.uint8Array({ maxLength: 400 }).map(bytes => Buffer.from(bytes));
  const afterMagic = junk.map(bytes => Buffer.concat([magic, bytes]));
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
  const mutated = fc
    .tuple(fc.constantFrom(ds918, ds1522, encodeReply()), fc.array(change, { maxLength: 12 }), fc.nat())
    .map(([capture, changes, cut]) => {
      const bytes = Buffer.from(capture);
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
      return cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
    });
  const fields = fc
    .array(fc.tuple(fc.constantFrom(0x01, 0x11, 0x12, 0x19, 0x49, 0x75, 0x77, 0x78, 0x90, 0xa7), junk), {
      maxLength: 9,
    })
    .map(fields =>
      Buffer.concat([
        magic,
        Buffer.from('010402000000', 'hex'),
        ...fields.map(([id, value]) => Buffer.from([id, value.length % 64, ...value.subarray(0, value.length % 64)])),
      ]),
    );

  test('never throws, and brings only what is sensible', () => {
    fc.assert(
      fc.property(fc.oneof(junk, afterMagic, mutated, fields), bytes => {
        const packet = parsePacket(bytes);
        if (packet) expectSensible(packet);
      }),
      { numRuns: 20_000 },
    );
  });
});

function expectSensible({ type, state, mac, identity }: Packet): void {
  if (![2, 6, 16, 20, 21].includes(type)) throw new Error(`type ${type}`);
  for (const number of [state, identity.update, identity.httpPort, identity.httpsPort]) {
    if (number !== null && !(Number.isInteger(number) && number >= 0)) throw new Error(`the number ${number}`);
  }
  if (mac !== null && !/^[\da-f:]{17}$/.test(mac)) throw new Error(`the MAC ${mac}`);
  for (const text of [identity.name, identity.model, identity.version, identity.address]) {
    if (text !== null && (text === '' || text.length > 150 || /\p{Cc}/u.test(text)))
      throw new Error(`the text ${text}`);
  }
}
