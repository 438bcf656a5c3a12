import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/libvirt/errors.ts';
import { maxDomains, maxString, remoteError, statsRecord, text, uuid } from '../../src/libvirt/structs.ts';
import {
  array,
  bool,
  type Codec,
  double,
  fixedOpaque,
  hyper,
  int,
  optional,
  recurring,
  string,
  uhyper,
  uint,
  XdrReader,
  XdrWriter,
} from '../../src/libvirt/xdr.ts';

function encode<T>(codec: Codec<T>, value: T): string {
  const writer = new XdrWriter();
  codec.encode(writer, value);
  return writer.finish().toString('hex');
}

function decode<T>(codec: Codec<T>, hex: string): T {
  return codec.decode(new XdrReader(Buffer.from(hex.replaceAll(' ', ''), 'hex')));
}

test.each<[string, Codec<unknown>, unknown, string]>([
  ['int', int as Codec<unknown>, -2, 'fffffffe'],
  ['uint', uint as Codec<unknown>, 4_294_967_295, 'ffffffff'],
  ['hyper', hyper as Codec<unknown>, -1, 'ffffffff ffffffff'],
  ['hyper of two words', hyper as Codec<unknown>, -(2 ** 40) - 1, 'fffffeff ffffffff'],
  ['uhyper', uhyper as Codec<unknown>, 2 ** 53 - 1, '001fffff ffffffff'],
  ['double', double as Codec<unknown>, 1.5, '3ff80000 00000000'],
  ['bool', bool as Codec<unknown>, true, '00000001'],
  ['string of two characters, three bytes', string(10) as Codec<unknown>, 'ök', '00000003 c3b66b00'],
  ['empty string', string(10) as Codec<unknown>, '', '00000000'],
  ['nothing', optional(int) as Codec<unknown>, null, '00000000'],
  ['something', optional(int) as Codec<unknown>, 7, '00000001 00000007'],
  ['array', array(int, 5) as Codec<unknown>, [1, 2], '00000002 00000001 00000002'],
  ['opaque', fixedOpaque(5) as Codec<unknown>, Buffer.from('hello'), '68656c6c 6f000000'],
  ['UUID', uuid as Codec<unknown>, '186682f9-0f0b-4a9e-867b-364706339405', '186682f9 0f0b4a9e 867b3647 06339405'],
])('%s', (_, codec, value, hex) => {
  expect(encode(codec, value)).toBe(hex.replaceAll(' ', ''));
  expect(decode(codec, hex)).toEqual(value);
});

test('64 bits above 2^53 are read rounded, never wrong by more', () => {
  expect(decode(uhyper, 'ffffffff ffffffff')).toBe(2 ** 64);
  expect(decode(hyper, '80000000 00000000')).toBe(-(2 ** 63));
});

test('what recurs is read right, whatever came after it before', () => {
  const word = recurring(string(200), null);
  const long = 'x'.repeat(100);
  for (const words of [
    ['a', 'b', 'c'],
    ['a', 'b', 'c'],
    ['a', 'c', long, 'c', 'b'],
    ['a', '', 'aa', 'b', long],
    ['a', 'b'],
  ]) {
    const writer = new XdrWriter();
    for (const each of words) word.encode(writer, each);
    const reader = new XdrReader(writer.finish());
    expect(words.map(() => word.decode(reader))).toEqual(words);
    expect(reader.remaining).toBe(0);
  }
  decode(word, '00000001 61000000');
  // After it, `b` is expected.
  expect(() => decode(word, '00000001')).toThrow(ProtocolError);
});

describe('refused while reading', () => {
  test.each<[string, Codec<unknown>, string]>([
    ['an int cut off', int as Codec<unknown>, '0000'],
    ['a hyper cut off', hyper as Codec<unknown>, '00000000 0000'],
    ['a string longer than its bound', string(3) as Codec<unknown>, '00000004 61626364'],
    ['a string longer than what is there', string(100) as Codec<unknown>, '00000005 61626364'],
    ['a string without its padding', string(100) as Codec<unknown>, '00000003 616263'],
    ['a string of 4 GiB', text as Codec<unknown>, 'ffffffff'],
    ['an array longer than its bound', array(int, 1) as Codec<unknown>, '00000002 00000001 00000002'],
    ['an array longer than what is there', array(int, 100) as Codec<unknown>, '00000003 00000001 00000002'],
    ['an optional flag of 2', optional(int) as Codec<unknown>, '00000002 00000007'],
    ['an optional flag of -1', optional(int) as Codec<unknown>, 'ffffffff 00000007'],
    ['a UUID cut off', uuid as Codec<unknown>, '186682f9'],
    ['no error at all', remoteError as Codec<unknown>, ''],
    [
      'a typed parameter of type 8',
      statsRecord as Codec<unknown>,
      `00000001 41000000 ${'00'.repeat(16)} 00000001 00000001 00000001 61000000 00000008 00000000`,
    ],
  ])('%s', (_, codec, hex) => {
    expect(() => decode(codec, hex)).toThrow(ProtocolError);
  });

  test('a lying count costs no more than the bytes that are there', () => {
    let decoded = 0;
    const counting: Codec<number> = {
      encode: int.encode,
      decode: reader => {
        decoded += 1;
        return int.decode(reader);
      },
    };
    expect(() => decode(array(counting, maxDomains), '00004000 00000001 00000002')).toThrow(ProtocolError);
    expect(decoded).toBe(3);
  });
});

describe('refused while writing, before anything is sent', () => {
  test.each<[string, () => string]>([
    ['an int of 33 bits', () => encode(int, 2 ** 31)],
    ['a fraction', () => encode(uhyper, 0.5)],
    ['no number', () => encode(uhyper, Number.NaN)],
    ['a negative uhyper', () => encode(uhyper, -1)],
    ['an integer that is not exact', () => encode(uhyper, 2 ** 53)],
    ['a string too long', () => encode(text, 'x'.repeat(maxString + 1))],
    ['a string too long in bytes', () => encode(string(3), 'öö')],
    ['an array too long', () => encode(array(int, 1), [1, 2])],
    ['opaque of another length', () => encode(fixedOpaque(4), Buffer.from('abc'))],
    ['a UUID that is none', () => encode(uuid, 'DSM')],
  ])('%s', (_, write) => {
    expect(write).toThrow(RangeError);
  });
});
