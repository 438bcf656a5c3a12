import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import {
  type AuthContext,
  type Connection,
  type KeyboardAuthContext,
  type PasswordAuthContext,
  type Prompt,
  utils,
} from 'ssh2';
import { describe, expect, test, vi } from 'vitest';
import { runCommand } from '../../src/ssh/command.ts';
import { type ConnectOptions, connect } from '../../src/ssh/connect.ts';
import { SshError } from '../../src/ssh/errors.ts';
import { fingerprint } from '../../src/ssh/host-key.ts';
import { eventually, slow } from '../eventually.ts';
import { newKeyPair } from '../fakes/ssh-key.ts';
import { type SshdOptions, startSshd } from '../fakes/sshd.ts';
import { failure, login, never, way } from './client.ts';

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

type Login = NonNullable<SshdOptions['login']>;
/** A server that takes these methods by this rule. */
const taking =
  (methods: AuthContext['method'][], rule: Login): Login =>
  (context, connection) =>
    methods.includes(context.method) ? rule(context, connection) : context.reject(methods as never);

describe('the login', () => {
  const key = newKeyPair();
  const { private: privateKey } = key;
  const attempts = (logins: string[]) => logins.filter(each => !each.endsWith(' none'));
  const inside = (connection: Connection) =>
    connection as unknown as { _protocol: { disconnect(reason: number): void }; _sock: { destroy(): void } };
  const wrong = { password: 'wrong' };
  const byPassword = (rule: Login) => taking(['password'], rule);
  // Too many failures: a goodbye with a reason.
  const goodbye = byPassword((_, connection) => inside(connection)._protocol.disconnect(2));
  const dies = byPassword((_, connection) => inside(connection)._sock.destroy());
  const mute = byPassword(() => {});
  const expired = byPassword(context => (context as PasswordAuthContext).requestChange('New password:', () => {}));

  test.each<[what: string, code: string, Partial<ConnectOptions>, logins: string[], login?: Login]>([
    ['a wrong password', 'authentication_failed', wrong, ['tc password wrong']],
    ['a wrong key', 'authentication_failed', { password: undefined as never, privateKey }, ['tc publickey']],
    ['both', 'authentication_failed', { ...wrong, privateKey }, ['tc publickey', 'tc password wrong']],
    ['means that are not offered', 'authentication_failed', {}, [], taking(['publickey'], () => {})],
    ['an account that is spent', 'authentication_failed', { account: { left: 0 } }, []],
    ['a password that must be changed', 'authentication_failed', {}, ['tc password secret'], expired],
    ['a server that says goodbye to it', 'authentication_failed', {}, ['tc password secret'], goodbye],
    ['a server that dies', 'connection_lost', {}, ['tc password secret'], dies],
    ['a server that never answers', 'timed_out', { within: 1_000 }, ['tc password secret'], mute],
  ])('ends with %s: %s, and shows each secret once', async (_, code, options, logins, rule) => {
    await using server = await startSshd({ ...(rule && { login: rule }) });
    const error = await failure(login(server, options), SshError);
    expect(error.code).toBe(code);
    expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain('wrong');
    expect(attempts(server.logins)).toEqual(logins);
    expect(server.connections()).toBe(1);
    await eventually(() => expect(server.open()).toBe(0));
  });

  // Asked whether it would do, then shown.
  const shown = ['tc publickey', 'tc publickey'];
  const alsoPassword: Login = context => {
    if (context.method === 'publickey' && context.signature) context.reject(['password'], true);
    else context.accept();
  };
  test.each<[what: string, logins: string[], login: Login]>([
    ['a key', shown, taking(['publickey'], context => context.accept())],
    ['a key, and the password too', [...shown, 'tc password secret'], taking(['publickey', 'password'], alsoPassword)],
  ])('with %s', async (_, logins, rule) => {
    await using server = await startSshd({ login: rule });
    await using _session = await login(server, { privateKey });
    expect(attempts(server.logins)).toEqual(logins);
  });

  const hidden = { prompt: 'Password: ', echo: false };
  test.each<[what: string, code: string | null, rounds: Prompt[][], answers: string[][]]>([
    ['the password', null, [[hidden]], [['secret']]],
    ['a second question', 'authentication_failed', [[hidden], [{ prompt: 'Code: ', echo: false }]], [['secret']]],
    ['an open question', 'authentication_failed', [[{ prompt: 'Name: ', echo: true }]], []],
    ['two at once', 'authentication_failed', [[hidden, hidden]], []],
  ])('by keyboard-interactive tells a password and no more, asked for %s', async (_, code, rounds, expected) => {
    const answers: string[][] = [];
    const ask = (context: KeyboardAuthContext, [questions, ...more]: Prompt[][]): void => {
      if (!questions) context.accept();
      else {
        context.prompt(questions, given => {
          answers.push(given);
          ask(context, more);
        });
      }
    };
    const rule = taking(['keyboard-interactive'], context => ask(context as KeyboardAuthContext, rounds));
    await using server = await startSshd({ login: rule });
    const ended = await login(server).catch(error => error as SshError);
    if (ended instanceof SshError) expect(ended.code).toBe(code);
    else await ended.close();
    expect(ended instanceof SshError).toBe(code !== null);
    expect(answers).toEqual(expected);
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
