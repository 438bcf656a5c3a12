import { createHmac, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { knownKeys } from '../../src/ssh/known-hosts.ts';

const one = 'AAAAC3NzaC1lZDI1NTE5AAAAIO5lIb6cKY2qg6Kb3XU0Uw3Kf0i0m1Q0k0n6Qm1W8Nw2';
const other = 'AAAAC3NzaC1lZDI1NTE5AAAAIB5lIb6cKY2qg6Kb3XU0Uw3Kf0i0m1Q0k0n6Qm1W8Nw2';
const types = (text: string, host: string, port = 22) => knownKeys(text, host, port).map(({ type }) => type);

test.each([
  ['host.lan ssh-ed25519 KEY', 'host.lan', 22, true],
  ['HOST.lan,10.0.0.1 ssh-ed25519 KEY a comment', '10.0.0.1', 22, true],
  ['host.lan ssh-ed25519 KEY', 'host.lan', 2222, false],
  ['[host.lan]:2222 ssh-ed25519 KEY', 'host.lan', 2222, true],
  ['*.lan,!bad.lan ssh-ed25519 KEY', 'good.lan', 22, true],
  ['*.lan,!bad.lan ssh-ed25519 KEY', 'bad.lan', 22, false],
  ['host.lan2 ssh-ed25519 KEY', 'host.lan', 22, false],
  ['hostxlan ssh-ed25519 KEY', 'host.lan', 22, false],
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
  const text = `host ssh-ed25519 ${one}\nhost ecdsa-sha2-nistp256 ${other}\n@revoked * ssh-ed25519 ${one}\n`;
  expect(types(text, 'host')).toEqual(['ecdsa-sha2-nistp256']);
});
