import { expect, test } from 'vitest';
import { type BuilderParts, reachBuilder } from '../../../src/loader/job/builder.ts';
import { type Guest, type GuestKind, usualTimes } from '../../../src/loader/job/parts.ts';
import { tcrp } from '../../../src/loader/kinds/tcrp/index.ts';
import { newAccount } from '../../../src/ssh/login.ts';
import { type Sshd, type SshdOptions, startSshd } from '../../fakes/sshd.ts';
import { never } from '../../ssh/client.ts';

/** `kinds`: of what is seen there, look by look; the last one stays. */
const parts = (server: Pick<Sshd, 'host' | 'port'>, kinds: readonly GuestKind[] = ['none']): BuilderParts => {
  const left = [...kinds];
  const identify = async () => (left.length > 1 ? left.shift() : left[0]) ?? 'none';
  const ssh = { host: server.host, port: server.port, user: 'tc', password: 'secret', privateKey: null, hostKey: null };
  return {
    settings: { ssh } as BuilderParts['settings'],
    adapter: tcrp,
    guest: { identify, address: () => null, check: async () => null, bootGrace: 0 } satisfies Guest,
    times: { ...usualTimes, look: 20 },
    hostKey: { get: () => null, set: () => {} },
    say: () => {},
  };
};

const passwords = ({ logins }: Sshd) => logins.filter(login => login.includes('password'));

type Login = NonNullable<SshdOptions['login']>;
const wants: Login = context => {
  if (context.method === 'none') context.reject(['password']);
};

test.each<[string, Login]>([
  [
    'breaks off at each login',
    (context, connection) => (context.method === 'none' ? wants(context, connection) : connection.end()),
  ],
  ['never answers a login', wants],
])('a server that %s is told the password twice at most, however often a run comes to it', async (_, login) => {
  await using server = await startSshd({ login });
  const account = newAccount();
  for (let nth = 0; nth < 4; nth++) {
    await expect(reachBuilder(parts(server), account, 1_000, never)).rejects.toThrow();
  }
  expect(passwords(server)).toHaveLength(2);
});

test('one that lets us in and is no builder is told it twice at most', async () => {
  await using server = await startSshd({ play: ({ channel }) => channel.end() });
  const account = newAccount();
  for (let nth = 0; nth < 4; nth++) {
    await expect(reachBuilder(parts(server), account, 1_000, never)).rejects.toThrow();
  }
  expect(passwords(server)).toHaveLength(2);
});

test.each<GuestKind>(['dsm', 'installer', 'loader', 'other'])('nobody logs in where a page answers: %s', async kind => {
  await using server = await startSshd();
  await expect(reachBuilder(parts(server, [kind]), newAccount(), 300, never)).rejects.toThrow('nobody has logged in');
  expect(server.logins).toEqual([]);
});

test('it is looked again before each login', async () => {
  await using server = await startSshd({
    login: (context, connection) => (context.method === 'none' ? wants(context, connection) : connection.end()),
  });
  await expect(reachBuilder(parts(server, ['none', 'dsm']), newAccount(), 5_000, never)).rejects.toThrow('DSM answers');
  expect(passwords(server)).toHaveLength(1);
});

test('a page that goes by itself is waited for', async () => {
  await using server = await startSshd({
    play: ({ channel }) => {
      channel.write('builder\n');
      channel.exit(0);
      channel.end();
    },
  });
  await using session = await reachBuilder(parts(server, ['other', 'loader', 'none']), newAccount(), 5_000, never);
  expect(session).toBeDefined();
});

test('a DSM without SSH is told at once', async () => {
  const nowhere = { host: '127.0.0.1', port: 1 };
  await expect(reachBuilder(parts(nowhere, ['dsm']), newAccount(), 60_000, never)).rejects.toThrow('DSM answers');
});
