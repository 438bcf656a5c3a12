import { expect, test } from 'vitest';
import { type BuilderRun, reachBuilder } from '../../../src/loader/job/builder.ts';
import { type GuestKind, usualTimes } from '../../../src/loader/job/parts.ts';
import { tcrp } from '../../../src/loader/kinds/tcrp/index.ts';
import { newAccount } from '../../../src/ssh/account.ts';
import { eventually } from '../../eventually.ts';
import { newKeyPair } from '../../fakes/ssh-key.ts';
import { type Sshd, type SshdOptions, startSshd } from '../../fakes/sshd.ts';
import { never } from '../../ssh/client.ts';

/** `kinds`: of what is seen there, look by look; the last one stays. */
function runWith(
  server: Pick<Sshd, 'host' | 'port'>,
  kinds: readonly GuestKind[] = ['none'],
  steady = usualTimes.steady,
) {
  const left = [...kinds];
  const identify = async () => (left.length > 1 ? left.shift() : left[0]) ?? 'none';
  const ssh = { host: server.host, port: server.port, user: 'tc', password: 'secret', privateKey: null, hostKey: null };
  const said: string[] = [];
  const remembered: Parameters<BuilderRun['runLog']['remember']>[0][] = [];
  const run: BuilderRun = {
    parts: {
      settings: { ssh } as BuilderRun['parts']['settings'],
      guest: { identify, address: () => null, check: async () => null, bootGrace: 0 },
      times: { ...usualTimes, look: 20, steady },
    },
    adapter: tcrp,
    runLog: { say: words => void said.push(words), remember: async facts => void remembered.push(facts) },
    account: newAccount(),
  };
  return {
    run,
    remembered,
    said,
    reach: (within: number) => reachBuilder(run, { within, hostKey: null, config: null }, never),
  };
}

const passwords = ({ logins }: Sshd) => logins.filter(login => login.includes('password'));

type Login = NonNullable<SshdOptions['login']>;
/** Takes a password, and does this when it comes. */
const login = (fate: (connection: Parameters<Login>[1]) => unknown): Login => {
  return (context, connection) => (context.method === 'none' ? context.reject(['password']) : fate(connection));
};
const breaksOff = login(connection => connection.end());

test.each<[string, SshdOptions]>([
  ['breaks off at each login', { login: breaksOff }],
  ['never answers a login', { login: login(() => {}) }],
  ['lets us in and is no builder', { play: ({ channel }) => channel.end() }],
])('a server that %s is told the password twice at most, however often a run comes to it', async (_, options) => {
  await using server = await startSshd(options);
  const { reach } = runWith(server);
  for (let nth = 0; nth < 4; nth++) await expect(reach(1_000)).rejects.toThrow();
  expect(passwords(server)).toHaveLength(2);
});

test.each<GuestKind>(['dsm', 'installer', 'loader', 'other'])('nobody logs in where a page answers: %s', async kind => {
  await using server = await startSshd();
  await expect(runWith(server, [kind]).reach(300)).rejects.toThrow('nobody has logged in');
  expect(server.logins).toEqual([]);
});

test('it is looked again before each login', async () => {
  await using server = await startSshd({ login: breaksOff });
  await expect(runWith(server, ['none', 'dsm']).reach(5_000)).rejects.toThrow('DSM answers');
  expect(passwords(server)).toHaveLength(1);
});

const play: SshdOptions['play'] = ({ channel }) => {
  channel.write('builder\n');
  channel.exit(0);
  channel.end();
};

test('a page that goes by itself is waited for, and the host key is written down', async () => {
  await using server = await startSshd({ play });
  const { reach, remembered } = runWith(server, ['other', 'loader', 'none']);
  await using session = await reach(5_000);
  expect(session.over).toBe(false);
  expect(remembered).toEqual([{ host_key: server.fingerprint }]);
});

test('nobody stays logged in when the host key cannot be written down', async () => {
  await using server = await startSshd({ play });
  const { run, reach } = runWith(server);
  run.runLog.remember = () => Promise.reject(new Error('no space'));
  await expect(reach(5_000)).rejects.toThrow('no space');
  await eventually(() => expect(server.open()).toBe(0));
});

test('a key that was met is the one that counts: another server is told nothing', async () => {
  // The first connection is the probe's.
  const first = await startSshd({ login: breaksOff, gate: nth => (nth < 3 ? 'serve' : 'drop') });
  const reaching = runWith(first).reach(20_000);
  await eventually(() => expect(passwords(first)).toHaveLength(1));
  await first[Symbol.asyncDispose]();
  await using other = await startSshd({ play, port: first.port, hostKey: newKeyPair().private });
  await expect(reaching).rejects.toMatchObject({ code: 'host_key_mismatch' });
  expect(other.logins).toEqual([]);
});

test('nobody logs in before the port has answered long enough without a break', async () => {
  const steady = 1_000;
  const first = await startSshd();
  const { reach, said } = runWith(first, ['none'], steady);
  const reaching = reach(60_000);
  await eventually(() => expect(first.connections()).toBeGreaterThan(10));
  await first[Symbol.asyncDispose]();
  await eventually(() => expect(said.at(-1)).toContain('nothing answers'));
  const began = performance.now();
  await using second = await startSshd({ play, port: first.port });
  await using session = await reaching;
  expect(performance.now() - began).toBeGreaterThan(steady);
  expect(session.over).toBe(false);
  expect(first.logins).toEqual([]);
  expect(passwords(second)).toHaveLength(1);
});

test('a DSM without SSH is told at once', async () => {
  const nowhere = { host: '127.0.0.1', port: 1 };
  await expect(runWith(nowhere, ['dsm']).reach(60_000)).rejects.toThrow('DSM answers');
});
