import { generateKeyPairSync } from 'node:crypto';
import ssh2 from 'ssh2';
import { expect, test } from 'vitest';
import { leafPaths, pathText } from '../../src/config/shape.ts';
import { newKeyPair } from '../fakes/ssh-key.ts';
import { complaints, directory, load, problemsOf, withLoader } from './harness.ts';

test('files of every VM are read, and told by their place', async () => {
  using place = directory({ one: 'first', two: 'second\n', empty: '' });
  const vm = (domain: string, ssh: string) =>
    `  - { domain: ${domain}, loader: { model: X, platform: x-1.2-3, ssh: { ${ssh} } } }\n`;
  const of = (...vms: string[]) => `mqtt: { url: mqtt://b }\nvms:\n${vms.join('').replaceAll('@', `${place.path}/`)}`;
  const { vms } = await load(of(vm('A', 'password_file: @one'), '  - { domain: B }\n', vm('C', 'password_file: @two')));
  expect(vms.map(({ loader }) => loader?.ssh.password)).toEqual(['first', undefined, 'second']);
  const told = await complaints(
    of(vm('A', 'password_file: /none'), vm('B', 'password: x, password_file: @one'), vm('C', 'password_file: @empty')),
  );
  expect(told.map(line => line.replace(/^\S+ /, ''))).toEqual([
    'vms[0].loader.ssh.password_file: /none does not exist',
    'vms[1].loader.ssh.password_file: password and password_file are both given',
    'vms[2].loader.ssh.password_file: the file is empty',
  ]);
});

test('a file that is no setting but much more, or never ends', async () => {
  const zeros = withLoader('ssh: { password_file: /dev/zero }');
  expect(await complaints(zeros)).toEqual([expect.stringMatching(/password_file: \/dev\/zero has more than 1 MiB$/)]);
  expect(await complaints(`# ${'x'.repeat(2 ** 20)}`)).toEqual([expect.stringMatching(/has more than 1 MiB$/)]);
});

test('there is no key of a file but is read', async () => {
  const files = leafPaths().filter(path => String(path.at(-1)).endsWith('_file'));
  for (const path of files) {
    const text = path.reduceRight<string>(
      (inner, step) => (typeof step === 'number' ? `[${inner}]` : `{ ${step}: ${inner} }`),
      '/none',
    );
    expect((await complaints(text)).join()).toContain(`${pathText(path)}: /none does not exist`);
  }
});

test('a private key is one that SSH knows, and without a passphrase', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const open = newKeyPair();
  const locked = ssh2.utils.generateKeyPairSync('ed25519', { passphrase: 'hunter2', cipher: 'aes256-ctr', rounds: 1 });
  using place = directory({
    ...{ open: open.private, public: open.public, locked: locked.private },
    pkcs8: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  const text = (name: string) => withLoader(`ssh: { private_key_file: ${place.path}/${name} }`);
  expect((await load(text('open'))).vms[0]?.loader?.ssh.privateKey).toBe(open.private);
  expect(await complaints(text('locked'))).toEqual([
    expect.stringMatching(/private_key_file: keys with a passphrase are not supported$/),
  ]);
  for (const name of ['public', 'pkcs8']) {
    const [problem] = await problemsOf(load(text(name)));
    expect(problem?.message).toBe('the file holds no private key');
    expect(problem?.hint).toContain('ssh-keygen');
  }
});
