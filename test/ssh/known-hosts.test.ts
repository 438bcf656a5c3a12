import { createHmac, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { knownHost } from '../../src/ssh/known-hosts.ts';
import { slow } from '../eventually.ts';

/** A public key as it is written in the file; what comes after the type is not read. */
const blob = (type: string, rest = '') =>
  Buffer.concat([Buffer.from([0, 0, 0, type.length]), Buffer.from(`${type}${rest}`)]).toString('base64');
const one = blob('ssh-ed25519', 'one');
const types = (text: string, host: string, port = 22) => knownHost(text, host, port).keys.map(({ type }) => type);

test.each([
  ['host.lan ssh-ed25519 KEY', 'host.lan', 22, true],
  ['HOST.lan,10.0.0.1 ssh-ed25519 KEY a comment', '10.0.0.1', 22, true],
  ['host.lan ssh-ed25519 KEY', 'host.lan', 2222, false],
  ['[host.lan]:2222 ssh-ed25519 KEY', 'host.lan', 2222, true],
  ['*.lan,!bad.lan ssh-ed25519 KEY', 'good.lan', 22, true],
  ['*.lan,!bad.lan ssh-ed25519 KEY', 'bad.lan', 22, false],
  ['host.lan2 ssh-ed25519 KEY', 'host.lan', 22, false],
  ['hostxlan ssh-ed25519 KEY', 'host.lan', 22, false],
  ['h?st.*a* ssh-ed25519 KEY', 'host.lan', 22, true],
  ['*o*a* ssh-ed25519 KEY', 'oa', 22, true],
  ['*.lan? ssh-ed25519 KEY', 'host.lan', 22, false],
  ['*a*b ssh-ed25519 KEY', 'abac', 22, false],
  ['# host.lan ssh-ed25519 KEY', 'host.lan', 22, false],
  ['@cert-authority host.lan ssh-ed25519 KEY', 'host.lan', 22, false],
])('%s knows %s at port %i: %s', (line, host, port, known) => {
  expect(types(line.replace('KEY', one), host, port)).toEqual(known ? ['ssh-ed25519'] : []);
});

test('a hashed name', () => {
  const salt = randomBytes(20);
  const hash = createHmac('sha1', salt).update('[host.lan]:2222').digest('base64');
  const line = `|1|${salt.toString('base64')}|${hash} ssh-ed25519 ${one}`;
  expect(types(line, 'host.lan', 2222)).toHaveLength(1);
  expect(types(line, 'host.lan')).toHaveLength(0);
});

test('several keys of one host, one of them revoked', () => {
  const text = `host ssh-ed25519 ${one}
host ecdsa-sha2-nistp256 ${blob('ecdsa-sha2-nistp256')}
@revoked * ssh-ed25519 ${one}
`;
  expect(types(text, 'host')).toEqual(['ecdsa-sha2-nistp256']);
});

const others = [
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'ssh-ed25519-cert-v01@openssh.com',
  'ssh-dss',
  'ssh-mldsa-of-the-future',
  'constructor',
  '__proto__',
];

test.each(others)('a key of type %s is passed over and named, and the good one beside it is used', type => {
  const text = `host ${type} ${blob(type)}\nhost ssh-ed25519 ${one}\n`;
  expect(knownHost(text, 'host', 22)).toMatchObject({ keys: [{ type: 'ssh-ed25519' }], unusable: [type] });
});

test('wildcards take no longer than the names are long', () => {
  const name = `${'a'.repeat(60)}.lan`;
  const began = performance.now();
  expect(types(`${'*a'.repeat(7)}b ssh-ed25519 ${one}`, name)).toEqual([]);
  expect(performance.now() - began).toBeLessThan(slow);
});

test('a certificate authority and a revoked key are named as such', () => {
  const text = `@cert-authority *.lan ssh-ed25519 ${one}\n@revoked host.lan ssh-ed25519 ${one}\n`;
  const unusable = ['@cert-authority ssh-ed25519', '@revoked ssh-ed25519'];
  expect(knownHost(text, 'host.lan', 22)).toEqual({ keys: [], unusable });
});

test.each([
  ['no key', 'host ssh-ed25519'],
  ['only a name', 'host'],
  ['no base64', 'host ssh-ed25519 !!!!'],
  ['a key of another type than it says', `host ssh-ed25519 ${blob('ssh-rsa')}`],
  ['a key of three bytes', 'host ssh-ed25519 AAAA'],
  ['a length beyond its end', 'host ssh-ed25519 /////3NzaA=='],
  ['half a hash', `|1|AAAA ssh-ed25519 ${one}`],
  ['an unknown mark', `@future host ssh-ed25519 ${one}`],
  ['many wildcards', `${'*'.repeat(60)}x ssh-ed25519 ${one}`],
  ['many wildcards apart', `${'*h'.repeat(30)}x ssh-ed25519 ${one}`],
  ['a name of a megabyte', `${'x'.repeat(1_000_000)} ssh-ed25519 ${one}`],
  ['bytes of something else', '\u0000\ufffd\u0007 \u0000 \u0001'],
])('a damaged line is passed over: %s', (_, line) => {
  expect(types(`${line}\nhost ssh-ed25519 ${one}`, 'host')).toEqual(['ssh-ed25519']);
});
