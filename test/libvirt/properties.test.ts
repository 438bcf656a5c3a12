/** What holds for any bytes and any values. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/libvirt/errors.ts';
import { domainEvents } from '../../src/libvirt/events.ts';
import { FrameDecoder } from '../../src/libvirt/frame.ts';
import { procedures } from '../../src/libvirt/procedures.ts';
import { domainRef, guestInterfaces, remoteError, statsRecord } from '../../src/libvirt/structs.ts';
import {
  array,
  bool,
  type Codec,
  double,
  fixedOpaque,
  hyper,
  int,
  optional,
  string,
  struct,
  uhyper,
  uint,
  XdrReader,
  XdrWriter,
} from '../../src/libvirt/xdr.ts';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const safe = fc.maxSafeInteger();
const unsigned = fc.maxSafeNat();
const words = fc.string({ unit: 'grapheme', maxLength: 60 });
const maybeWords = fc.option(words);
const uuid = fc.uuid();
const ref = fc.record({ name: words, uuid, id: int32 });
const param = fc.oneof(
  fc.record({ field: words, type: fc.constant(1), value: int32 }),
  fc.record({ field: words, type: fc.constant(2), value: uint32 }),
  fc.record({ field: words, type: fc.constant(3), value: safe }),
  fc.record({ field: words, type: fc.constant(4), value: unsigned }),
  fc.record({ field: words, type: fc.constant(5), value: fc.double() }),
  fc.record({ field: words, type: fc.constant(6), value: fc.boolean() }),
  fc.record({ field: words, type: fc.constant(7), value: words }),
);

const values: [string, Codec<unknown>, fc.Arbitrary<unknown>][] = [
  ['int', int as Codec<unknown>, int32],
  ['uint', uint as Codec<unknown>, uint32],
  ['hyper', hyper as Codec<unknown>, safe],
  ['uhyper', uhyper as Codec<unknown>, unsigned],
  ['double', double as Codec<unknown>, fc.double()],
  ['bool', bool as Codec<unknown>, fc.boolean()],
  ['string', string(10_000) as Codec<unknown>, words],
  ['opaque', fixedOpaque(7) as Codec<unknown>, fc.uint8Array({ minLength: 7, maxLength: 7 }).map(Buffer.from)],
  ['optional', optional(int) as Codec<unknown>, fc.option(int32)],
  ['array', array(string(10_000), 20) as Codec<unknown>, fc.array(words, { maxLength: 20 })],
  [
    'struct',
    struct({ a: int, b: struct({ c: uhyper, d: optional(bool) }) }) as Codec<unknown>,
    fc.record({ a: int32, b: fc.record({ c: unsigned, d: fc.option(fc.boolean()) }) }),
  ],
  ['domain', domainRef as Codec<unknown>, ref],
  ['statistics', statsRecord as Codec<unknown>, fc.record({ domain: ref, params: fc.array(param) })],
  [
    'guest interfaces',
    guestInterfaces as Codec<unknown>,
    fc.array(
      fc.record({
        name: words,
        mac: maybeWords,
        addresses: fc.array(fc.record({ type: int32, address: words, prefix: uint32 })),
      }),
    ),
  ],
  [
    'error',
    remoteError as Codec<unknown>,
    fc.record({
      code: int32,
      domain: int32,
      message: maybeWords,
      level: int32,
      subject: fc.option(ref),
      str1: maybeWords,
      str2: maybeWords,
      str3: maybeWords,
      int1: int32,
      int2: int32,
      network: fc.option(fc.record({ name: words, uuid })),
    }),
  ],
];

test.each(values)('%s: what is written is read, to the last byte, and nothing shorter is', (_, codec, arbitrary) => {
  fc.assert(
    fc.property(arbitrary, fc.nat(), (value, cut) => {
      const writer = new XdrWriter();
      codec.encode(writer, value);
      const bytes = writer.finish();
      expect(bytes.length % 4).toBe(0);
      const reader = new XdrReader(bytes);
      expect(codec.decode(reader)).toEqual(value);
      expect(reader.remaining).toBe(0);
      expect(() => codec.decode(new XdrReader(bytes.subarray(0, cut % bytes.length)))).toThrow(ProtocolError);
    }),
  );
});

const everyCodec: [string, Codec<unknown>][] = [
  ...Object.values(procedures).flatMap(({ name, args, reply }): [string, Codec<unknown>][] => [
    [`${name} arguments`, args as Codec<unknown>],
    [`${name} reply`, reply as Codec<unknown>],
  ]),
  ...Object.entries(domainEvents).map(([name, { codec }]): [string, Codec<unknown>] => [name, codec as Codec<unknown>]),
  ['error', remoteError as Codec<unknown>],
];

/** Bytes as a fault would make them: noise, or words that pass for lengths and flags. */
const noise = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
  fc.array(fc.oneof(fc.constantFrom(0, 1, 2, 4, 0xff, 0x4000, 0x40000, 0x7fffffff, 0xffffffff), uint32)).map(list => {
    const bytes = Buffer.alloc(list.length * 4);
    for (const [i, word] of list.entries()) bytes.writeUInt32BE(word, i * 4);
    return bytes;
  }),
);

describe('arbitrary bytes', () => {
  test.each(everyCodec)('as %s: a value no larger than they are, or a ProtocolError', (_, codec) => {
    fc.assert(
      fc.property(noise, bytes => {
        try {
          const value = codec.decode(new XdrReader(bytes));
          // A three-byte replacement character for a byte, a key and a few digits for a word: bounded by the input.
          expect(JSON.stringify(value ?? null).length).toBeLessThan(2_000 + bytes.length * 60);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('as a stream: frames or a ProtocolError, and nothing kept but what came', () => {
    fc.assert(
      fc.property(fc.array(noise), chunks => {
        const decoder = new FrameDecoder();
        let payload = 0;
        try {
          for (const chunk of chunks) for (const frame of decoder.push(chunk)) payload += frame.payload.length;
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
        expect(payload).toBeLessThanOrEqual(chunks.reduce((sum, { length }) => sum + length, 0));
      }),
    );
  });
});
