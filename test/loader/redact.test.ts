/** No serial number and no MAC gets through, in whatever pieces they come; everything else does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { namedValues, Redactor, redact } from '../../src/loader/redact.ts';

const inPieces = (text: string, cuts: readonly number[], known: readonly string[] = []) => {
  const redactor = new Redactor(known);
  let told = '';
  let at = 0;
  for (const cut of cuts.map(each => each % (text.length + 1)).toSorted((a, b) => a - b)) {
    told += redactor.push(text.slice(at, cut));
    at = cut;
  }
  return told + redactor.push(text.slice(at)) + redactor.end();
};
const byCharacter = (text: string) => inPieces(text, [...[...text].keys()]);

test.each([
  ['Serial Number for Model = 1780PDN012345', 'Serial Number for Model = [serial]'],
  ['Serial Number for Model DS918+ = 1780PDN012345\n', 'Serial Number for Model DS918+ = [serial]\n'],
  ['Mac Address for Model DS918+ = 00:11:32:AB:cd:ef ', 'Mac Address for Model DS918+ = [mac] '],
  ['Real Mac Address : 52:54:00:d5:30:01', 'Real Mac Address : [mac]'],
  ['Found QEMU USB SerialNumber: 1-0000:00:01.0-3', 'Found QEMU USB SerialNumber: [serial]'],
  [
    'Updated user_config with USB Command Line : sn=2030SBRX1Y2Z3 mac1=001132ABCDEF netif_num=1 vid=0x46f4',
    'Updated user_config with USB Command Line : sn=[serial] mac1=[mac] netif_num=1 vid=0x46f4',
  ],
  ['{"sn": "1780PDN012345", "mac1":"001132abcdef"}', '{"sn": [serial], "mac1":[mac]}'],
  ['{"sn": "", "mac1": ""}', '{"sn": [serial], "mac1": [mac]}'],
  ['sn=anything-at-all;', 'sn=[serial];'],
  ['mac2 = "zz"', 'mac2 = [mac]'],
  ['00-11-32-ab-cd-ef', '[mac]'],
  ['x00:11:32:ab:cd:efx', 'x[mac]x'],
  ['12:34:00:11:32:ab:cd:ef:99', '[mac]'],
  ['525400d53001', '[mac]'],
  ['186682f9-0f0b-1a9e-867b-525400d53001', '186682f9-0f0b-1a9e-867b-[mac]'],
  ['1780PDN012345', '[serial]'],
  ['file_2270TQRA1B2C3_x', 'file_[serial]_x'],
  ['\u001b[1;32m1780PDN012345\u001b[0m', '[serial]'],
  ['1780PDN\u001b[0m012345', '[serial]'],
  ['sn\u001b[K=\u001b[1mx', 'sn=[serial]'],
])('%j becomes %j', (text, expected) => {
  expect(redact(text)).toBe(expected);
  expect(byCharacter(text)).toBe(expected);
  expect(redact(expected)).toBe(expected);
});

test.each([
  'Error : DS1 is not an available model for serial number generation. Available Models : DS918+ DS920+',
  '[#] Creating loader image at loader.img... [OK]',
  'SataPortMap=12 DiskIdxMap=1000 Vendor ID : 0x46f4 Product ID : 0x0001',
  'RedPill DS918+ v7.1.1-42962 (USB, Verbose)',
  'https://global.download.synology.com/download/DSM/release/7.1.1/42962/DSM_DS918%2B_42962.pat',
  'a36ed0ac94ce75de68ab3f4a1f62ea2b4dcbd1d5a8f70bb3b2a14d7e63a4e0d4  rd.gz',
  'DATE Internet : 21102022 Local : 21102022, 1073741824000 bytes',
  'Machine: snake=1, domac: no',
  'a lone escape \u001b',
  'the domain 186682f9-0f0b-4a9e-867b-364706339405',
])('%j stays', text => {
  expect(redact(text)).toBe(text);
  expect(byCharacter(text)).toBe(text);
});

describe('what is known', () => {
  test('goes wherever it stands, in either case', () => {
    expect(redact('it is xABC.d+EFx', ['abc.D+ef'])).toBe('it is x[hidden]x');
    expect(redact('nothing of ABCxdEF', ['abc.D'])).toBe('nothing of ABCxdEF');
  });

  test('unless it is hardly anything', () => {
    expect(redact('a b c', ['', 'b'])).toBe('a b c');
  });

  test('however long', () => {
    const long = 'k3y-'.repeat(200);
    const text = `before ${long} after`;
    expect(inPieces(text, [3, 300, 500], [long])).toBe('before [hidden] after');
  });
});

const hex = fc.constantFrom(...'0123456789abcdefABCDEF');
const mac = fc
  .tuple(fc.array(fc.tuple(hex, hex), { minLength: 6, maxLength: 6 }), fc.constantFrom(':', '-', ''))
  .map(([digits, between]) => digits.map(pair => pair.join('')).join(between));
const capital = fc.constantFrom(...'ABCDEFGHJKLMNPQRSTUVWXYZ0123456789');
const serial = fc
  .tuple(
    fc.constantFrom('1780PDN', '2030SBR', '2080S7R', '2270TQR', '1130LWN'),
    fc.array(capital, { minLength: 6, maxLength: 6 }),
  )
  .map(([model, unit]) => model + unit.join(''));
const words = ' |\n|\r|=| : |"|sn|mac1|Serial Number| for Model|\u001b[1;31m|\u001b[|\u001b|é|[!] |, |42|Done.'.split(
  '|',
);
const filler = fc.constantFrom(...words, 'x'.repeat(90));
const talk = fc.array(fc.oneof(filler, fc.string()), { maxLength: 20 }).map(parts => parts.join(''));

test('in pieces as in one', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(talk, mac, serial)), fc.array(fc.nat()), (parts, cuts) => {
      const text = parts.join('');
      expect(inPieces(text, cuts)).toBe(redact(text));
      expect(byCharacter(text)).toBe(redact(text));
    }),
  );
});

test('none is in what comes out', () => {
  fc.assert(
    fc.property(talk, fc.oneof(mac, serial), talk, fc.array(fc.nat()), (before, secret, after, cuts) => {
      expect(inPieces(`${before} ${secret} ${after}`, cuts)).not.toContain(secret);
    }),
  );
});

test('an escape that stands alone before it does not take its first character out of sight', () => {
  expect(redact('mac1\u001b 1780PDNAAAAAA ')).toBe('mac1\u001b [serial] ');
});

test.each([
  'Serial Number for Model 1780PDNAAAAAA :#',
  'Serial Number for Model 001122334455 = x',
  'serial number for model 00:11:22:33:44:55 = x',
  'Serial Number for Model DS918+ = 1780PDNAAAAAA',
  'Serial Number for Model VirtualDSM : Z',
])('neither the name nor the value of a serial number has one: %s', text => {
  expect(redact(text)).not.toMatch(/1780PDN|00.?11|: Z/);
});

test('no more is held back than a match may have', () => {
  const redactor = new Redactor();
  let told = 0;
  for (let sent = 1; sent <= 5_000; sent++) {
    told += redactor.push('x').length;
    expect(sent - told).toBeLessThanOrEqual(200);
  }
});

test('what a name stands before is known', () => {
  expect(namedValues('linux /zImage mac1=001132AABBCC sn=2040PDN012345 netif_num=1 dsn=other')).toEqual([
    ...['001132AABBCC', '2040PDN012345'],
  ]);
  expect(namedValues('sn: "ABCDEF"\nmac2: 00:11:32:aa:bb:cc\n"sn": "GHIJKL", sn=')).toEqual([
    ...['ABCDEF', '00:11:32:aa:bb:cc', 'GHIJKL'],
  ]);
});
