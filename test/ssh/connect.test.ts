import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type AuthContext, type Connection, utils } from 'ssh2';
import { describe, expect, test, vi } from 'vitest';
import { runCommand } from '../../src/ssh/command.ts';
import { connect } from '../../src/ssh/connect.ts';
import { SshError } from '../../src/ssh/errors.ts';
import { fingerprint } from '../../src/ssh/host-key.ts';
import { eventually, slow } from '../eventually.ts';
import { newKeyPair } from '../fakes/ssh-key.ts';
import { startSshd } from '../fakes/sshd.ts';
import { failure, login, never, way } from './client.ts';

const offering =
  (...methods: ('password' | 'publickey' | 'keyboard-interactive')[]) =>
  (context: AuthContext) =>
    context.reject(methods);

/** Nothing listens there. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('a machine that boots', () => {
  test.each([
    ['unreachable', 'nothing listens', { gate: 'serve' }],
    ['handshake', 'it drops the connection', { gate: 'drop' }],
    ['timed_out', 'it never says a word', { gate: 'mute' }],
  ] as const)('%s: %s', async (code, what, { gate }) => {
    await using server = await startSshd({ gate: () => gate });
    const port = what === 'nothing listens' ? await closedPort() : server.port;
    const within = gate === 'mute' ? 300 : slow;
    expect(await failure(login(server, { port, within }), SshError)).toMatchObject({ code });
    await eventually(() => expect(server.open()).toBe(0));
  });

  test('what listens speaks something else', async () => {
    const web = createServer(socket => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    web.listen(0, '127.0.0.1');
    await once(web, 'listening');
    const { port } = web.address() as AddressInfo;
    await using server = await startSshd();
    expect(await failure(login(server, { port }), SshError)).toMatchObject({ code: 'handshake' });
    web.close();
  });

  test('the library takes an option amiss: an error, and no connection stays', async () => {
    await using server = await startSshd({ gate: () => 'mute' });
    const error = await failure(login(server, { user: 7 as unknown as string }), SshError);
    expect(error).toMatchObject({ code: 'incompatible' });
    await eventually(() => expect(server.open()).toBe(0));
  });

  test.each([0, 50])('given up after %d ms', async ms => {
    await using server = await startSshd({ gate: () => 'mute' });
    const reason = new Error('enough');
    const abort = new AbortController();
    if (ms === 0) abort.abort(reason);
    else setTimeout(() => abort.abort(reason), ms);
    const error = await failure(connect(way(server), abort.signal), SshError);
    expect(error).toMatchObject({ code: 'cancelled', cause: reason });
    await eventually(() => expect(server.open()).toBe(0));
  });
});

describe('the login', () => {
  const key = newKeyPair();
  const { private: privateKey } = key;
  const attempts = (logins: string[]) => logins.filter(each => !each.endsWith(' none'));

  test.each([
    ['a password', { password: 'wrong' }, ['tc password wrong']],
    ['a key', { password: undefined, privateKey }, ['tc publickey']],
    ['a key and a password', { password: 'wrong', privateKey }, ['tc publickey', 'tc password wrong']],
  ])('is tried at most twice, and never again: %s', async (_, { password, ...credentials }, expected) => {
    await using server = await startSshd();
    const { password: __, ...options } = way(server, credentials);
    const error = await failure(connect({ ...options, ...(password && { password }) }, never), SshError);
    expect(error.code).toBe('authentication_failed');
    expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain('wrong');
    expect(attempts(server.logins)).toEqual(expected);
    expect(server.connections()).toBe(1);
    await eventually(() => expect(server.open()).toBe(0));
  });

  test('with a key', async () => {
    const accept = (context: AuthContext) => {
      if (context.method === 'publickey') context.accept();
      else context.reject(['publickey']);
    };
    await using server = await startSshd({ login: accept });
    await using _ = await login(server, { privateKey });
    // Asked whether it would do, then shown.
    expect(server.logins).toEqual(['tc none', 'tc publickey', 'tc publickey']);
  });

  test('with a key, then the password too, where both are asked for', async () => {
    const both = (context: AuthContext) => {
      if (context.method === 'publickey' && context.signature) context.reject(['password'], true);
      else if (context.method === 'publickey') context.accept();
      else if (context.method === 'password') context.accept();
      else context.reject(['publickey']);
    };
    await using server = await startSshd({ login: both });
    await using _ = await login(server, { privateKey });
    expect(server.logins.at(-1)).toBe('tc password secret');
  });

  const interactive =
    (prompts: { prompt: string; echo: boolean }[][], answers: string[][]) => (context: AuthContext) => {
      if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
      const ask = (round: number) => {
        const questions = prompts[round];
        if (!questions) return context.accept();
        context.prompt(questions, given => {
          answers.push(given);
          ask(round + 1);
        });
      };
      ask(0);
    };
  const hidden = { prompt: 'Password: ', echo: false };

  test('by keyboard-interactive, where there is nothing else', async () => {
    const answers: string[][] = [];
    await using server = await startSshd({ login: interactive([[hidden]], answers) });
    await using _ = await login(server);
    expect(server.logins).toEqual(['tc none', 'tc keyboard-interactive']);
    expect(answers).toEqual([['secret']]);
  });

  test.each([
    ['a second question', [[hidden], [{ prompt: 'Verification code: ', echo: false }]], [['secret']]],
    ['an open question', [[{ prompt: 'Name: ', echo: true }]], []],
    ['two at once', [[hidden, hidden]], []],
  ])('tells nobody more than a password: %s', async (_, prompts, expected) => {
    const answers: string[][] = [];
    await using server = await startSshd({ login: interactive(prompts, answers) });
    expect(await failure(login(server), SshError)).toMatchObject({ code: 'authentication_failed' });
    expect(answers).toEqual(expected);
  });

  test('is not tried by means that are not offered', async () => {
    await using server = await startSshd({ login: offering('publickey') });
    const error = await failure(login(server), SshError);
    expect(error).toMatchObject({ code: 'authentication_failed', message: expect.stringContaining('publickey') });
    expect(server.logins).toEqual(['tc none']);
  });

  type Fate = (connection: Connection) => void;
  const inside = (connection: Connection) =>
    connection as unknown as { _protocol: { disconnect(reason: number): void }; _sock: { destroy(): void } };

  test.each<[what: string, code: string, fate: Fate]>([
    // Too many failures: a goodbye with a reason.
    [
      'the server says goodbye to it',
      'authentication_failed',
      connection => inside(connection)._protocol.disconnect(2),
    ],
    ['the server dies', 'connection_lost', connection => inside(connection)._sock.destroy()],
    ['it is never answered', 'timed_out', () => {}],
  ])('ends when %s: %s', async (_, code, fate) => {
    await using server = await startSshd({
      login: (context, connection) => (context.method === 'none' ? context.reject(['password']) : fate(connection)),
    });
    expect(await failure(login(server, { within: code === 'timed_out' ? 1_000 : slow }), SshError)).toMatchObject({
      code,
    });
    expect(attempts(server.logins)).toHaveLength(1);
  });

  test('shows nothing secret when its account is spent', async () => {
    await using server = await startSshd();
    const account = { left: 0 };
    expect(await failure(login(server, { account }), SshError)).toMatchObject({ code: 'authentication_failed' });
    expect(attempts(server.logins)).toEqual([]);
  });

  test('wants a password to be changed: somebody has to', async () => {
    const expired = (context: AuthContext) => {
      if (context.method === 'password') context.requestChange('New password:', () => {});
      else context.reject(['password']);
    };
    await using server = await startSshd({ login: expired });
    expect(await failure(login(server), SshError)).toMatchObject({ code: 'authentication_failed' });
  });

  // OpenSSH's format with a count of 0: to this the library says nothing.
  const fields = `openssh-key-v1\0${'\0\0\0\u0004none'.repeat(2)}${'\0'.repeat(8)}`;
  const mark = 'OPENSSH PRIVATE KEY-----';
  const emptyKeyFile = `-----BEGIN ${mark}\n${Buffer.from(fields).toString('base64')}\n-----END ${mark}`;

  test.each([
    ['no key', 'rubbish'],
    ['a public key', key.public],
    ['a file that holds no key at all', emptyKeyFile],
    [
      'a passphrase',
      utils.generateKeyPairSync('ed25519', { passphrase: 'x', cipher: 'aes256-ctr', rounds: 1 }).private,
    ],
  ])('is not begun with %s', async (_, privateKey) => {
    await using server = await startSshd();
    expect(await failure(login(server, { privateKey }), SshError)).toMatchObject({ code: 'invalid_key' });
    expect(server.connections()).toBe(0);
  });

  test('is not begun with nothing at all', async () => {
    await using server = await startSshd();
    const { password, ...options } = way(server);
    expect(await failure(connect(options, never), SshError)).toMatchObject({ code: 'invalid_key' });
  });
});

describe('the host key', () => {
  const other = 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU';

  test('is another than expected: nothing is said', async () => {
    await using server = await startSshd();
    const onHostKey = vi.fn();
    const error = await failure(login(server, { hostKeys: [other], onHostKey }), SshError);
    expect(error.code).toBe('host_key_mismatch');
    expect(error.message).toContain(server.fingerprint);
    expect(error.message).toContain(other);
    expect(server.logins).toEqual([]);
    expect(onHostKey).not.toHaveBeenCalled();
  });

  test.each([
    ['any', () => null],
    ['as people paste it', (fingerprint: string) => [other, ` ${fingerprint}=\n`]],
  ])('is expected: %s; and it is told', async (_, hostKeys) => {
    await using server = await startSshd();
    const onHostKey = vi.fn();
    await using _session = await login(server, { hostKeys: hostKeys(server.fingerprint), onHostKey });
    expect(onHostKey.mock.calls).toEqual([[server.fingerprint]]);
  });

  test('looks as `ssh-keygen -l` prints it', () => {
    const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIDWj8/Esuya9q4lH6nPq1rT1QnAfypmJHiF27s5GBMuF';
    expect(fingerprint(Buffer.from(key, 'base64'))).toBe('SHA256:1K4MMwIN6PLDwqGgrz0P1tdQPo4QK/uFovHiem5ldmU');
  });
});

describe('a session', () => {
  test('ends once, and for good', async () => {
    await using server = await startSshd();
    const session = await login(server);
    await Promise.all([session.close(), session.close()]);
    await session.close();
    expect(session.over).toBe(true);
    await eventually(() => expect(server.open()).toBe(0));
    const options = { silence: 1_000, deadline: 1_000, signal: never };
    expect(await failure(runCommand(session, 'true', options), SshError)).toMatchObject({ code: 'connection_lost' });
  });

  test('ends although the server does not', async () => {
    await using server = await startSshd();
    const session = await login(server);
    server.freeze();
    await session.close();
    expect(session.over).toBe(true);
  });

  test('notices a server that is gone', async () => {
    await using server = await startSshd();
    await using session = await login(server, { keepalive: { interval: 50, misses: 2 } });
    server.freeze();
    await session.closed;
  });
});
