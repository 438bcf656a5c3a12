import { chmod, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SshError } from '../../src/ssh/errors.ts';
import { download, upload } from '../../src/ssh/transfer.ts';
import { eventually } from '../eventually.ts';
import { type Played, type Sshd, type SshdOptions, startSshd } from '../fakes/sshd.ts';
import { failure, login, never, ownFolder } from './client.ts';

async function setUp(options: SshdOptions = {}) {
  const server = await startSshd(options);
  const session = await login(server);
  return {
    server,
    session,
    upload: (path: string, bytes: Uint8Array, more = {}) => upload(session, path, bytes, { signal: never, ...more }),
    download: (path: string, more = {}) => download(session, path, { signal: never, ...more }),
    async [Symbol.asyncDispose]() {
      await session.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const file = ownFolder();
const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256));

/** The programs of a small system. */
async function tools(...names: string[]): Promise<string> {
  const path = file('bin');
  await mkdir(path);
  for (const name of names) await symlink(`/usr/bin/${name}`, join(path, name));
  return path;
}
const small = ['cat', 'wc', 'mv', 'rm', 'cp', 'readlink'];

describe('there and back', () => {
  test.each([
    ['a text', 'user_config.json', Buffer.from('{ "a": "ä" }\n')],
    ['nothing', 'empty', Buffer.alloc(0)],
    ['any bytes', 'binary', bytes],
    ['a name that a shell would read', `it's $HOME "and" \`id\`; *\n-`, Buffer.from('x')],
  ])('%s', async (_, name, content) => {
    await using it = await setUp();
    await it.upload(file(name), content);
    expect(await readFile(file(name))).toEqual(content);
    expect(await readdir(file('.'))).toEqual([name]);
    expect(await it.download(file(name))).toEqual(content);
  });

  test('without sha256sum', async () => {
    await using it = await setUp({ path: await tools(...small) });
    await it.upload(file('a'), bytes);
    expect(await it.download(file('a'))).toEqual(bytes);
  });

  test('replaces a file through a symbolic link, and keeps its mode', async () => {
    await writeFile(file('real'), 'a longer one than the new');
    await chmod(file('real'), 0o751);
    await symlink('real', file('link'));
    await using it = await setUp();
    await it.upload(file('link'), Buffer.from('new'));
    expect(await readlink(file('link'))).toBe('real');
    expect(await readFile(file('real'), 'utf8')).toBe('new');
    expect((await stat(file('real'))).mode & 0o777).toBe(0o751);
  });
});

describe('an upload', () => {
  beforeEach(() => writeFile(file('a'), 'old'));
  afterEach(async () => {
    expect(await readFile(file('a'), 'utf8')).toBe('old');
    expect((await readdir(file('.'))).filter(name => name !== 'bin')).toEqual(['a']);
  });

  test('that is too large is not begun', async () => {
    await using it = await setUp();
    expect(await failure(it.upload(file('a'), bytes, { limit: 99 }), SshError)).toMatchObject({ code: 'too_large' });
    expect(it.server.commands).toEqual([]);
  });

  test('whose connection breaks leaves the old file', async () => {
    // The server's shell gets a part of it, and then the end.
    await using it = await setUp();
    const upload = failure(it.upload(file('a'), Buffer.alloc(2 ** 20 * 8, 'x'), { limit: 2 ** 30 }), SshError);
    await eventually(async () => expect(await readdir(file('.'))).toContain('a.partial'), { interval: 1 });
    it.server.drop();
    expect(await upload).toMatchObject({ code: 'connection_lost' });
    await eventually(async () => expect(await readdir(file('.'))).toEqual(['a']));
  });

  test('that does not arrive as it was sent leaves the old file', async () => {
    const path = await tools(...small);
    await writeFile(join(path, 'sha256sum'), '#!/bin/sh\necho 0000  -\n', { mode: 0o755 });
    await using it = await setUp({ path });
    expect(await failure(it.upload(file('a'), bytes), SshError)).toMatchObject({ code: 'transfer' });
  });

  test('into a folder that is not there', async () => {
    await using it = await setUp();
    expect(await failure(it.upload(file('none/b'), bytes), SshError)).toMatchObject({ code: 'transfer' });
  });

  test.each(['cancelled', 'deadline'] as const)('is given up: %s', async code => {
    await using it = await setUp({ play: () => {} });
    const options = code === 'deadline' ? { timeout: 100 } : { signal: AbortSignal.timeout(100) };
    expect(await failure(it.upload(file('a'), bytes, options), SshError)).toMatchObject({ code });
  });
});

describe('a download', () => {
  test.each([
    ['no file', 'missing', {}, 'transfer'],
    ['a folder', '.', {}, 'transfer'],
    ['a large file', 'large', { limit: 99_999 }, 'too_large'],
  ])('of %s', async (_, name, options, code) => {
    await writeFile(file('large'), bytes);
    await using it = await setUp();
    expect(await failure(it.download(file(name), options), SshError)).toMatchObject({ code });
  });

  const endless = ({ channel }: Played) => {
    const more = () => {
      if (channel.writable) channel.write(Buffer.alloc(30_000), () => setImmediate(more));
    };
    more();
  };
  /** Says this of three bytes. */
  const says =
    (word: string) =>
    ({ channel }: Played) => {
      channel.stderr.write(word);
      channel.write('abc');
      channel.exit(0);
      channel.end();
    };
  test.each<[what: string, code: string, play: (played: Played, server: Sshd) => void]>([
    ['without an end', 'too_large', endless],
    ['of another length than was said', 'transfer', says('size=4 sha256=.')],
    ['with other content than was said', 'transfer', says('size=3 sha256=0000.')],
    ['of which nothing was said', 'transfer', says('Welcome')],
    ['whose connection breaks', 'connection_lost', (_, server) => server.drop()],
  ])('of a file %s: %s', async (_, code, play) => {
    await using it = await setUp({ play: played => play(played, it.server) });
    expect(await failure(it.download('/a'), SshError)).toMatchObject({ code });
  });

  test('in a session that has ended', async () => {
    await using it = await setUp();
    await it.session.close();
    expect(await failure(it.download('/a'), SshError)).toMatchObject({ code: 'connection_lost' });
  });
});
