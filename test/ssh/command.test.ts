import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type RunOptions, runCommand } from '../../src/ssh/command.ts';
import { CommandError, SshError } from '../../src/ssh/errors.ts';
import { quote } from '../../src/ssh/quote.ts';
import { eventually } from '../eventually.ts';
import { type Played, playedGroup, type SshdOptions, startSshd } from '../fakes/sshd.ts';
import { failure, login, never, ownFolder } from './client.ts';

/** A session in a server of its own, and everything a command says in it. */
async function setUp({ keepalive = 5_000, ...options }: SshdOptions & { keepalive?: number } = {}) {
  const server = await startSshd(options);
  const session = await login(server, { keepalive: { interval: keepalive, misses: 2 } });
  let said = '';
  const onOutput = (text: string) => {
    said += text;
  };
  const run = (command: string, more: Partial<RunOptions> = {}) =>
    runCommand(session, command, {
      silence: 10_000,
      deadline: 20_000,
      signal: never,
      settle: 50,
      grace: 300,
      onOutput,
      ...more,
    });
  return {
    server,
    session,
    run,
    said: () => said,
    failed: (command: string, more: Partial<RunOptions> = {}) => failure(run(command, more), CommandError),
    async [Symbol.asyncDispose]() {
      await session.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const file = ownFolder();

/** Whether a process with this number is left, those that only wait to be reaped not counted. */
function lives(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
const pidIn = async (name: string) => Number(await readFile(file(name), 'utf8'));

describe('a command', () => {
  test.each([
    ['well', 'echo done', 0, 'done\n'],
    ['badly', 'echo no; exit 99', 99, 'no\n'],
    ['without a word', 'true', 0, ''],
    ['with quotes and variables', `x="a b"; printf '%s|%s' "$x" 'it'"'"'s'`, 0, "a b|it's"],
    ['of several lines', 'cd /\npwd', 0, '/\n'],
    ['that is none', 'if', 2, expect.stringContaining('yntax')],
    ['by a signal', 'kill -USR1 $$', 'SIGUSR1', ''],
  ])('ends %s', async (_, command, how, output) => {
    await using it = await setUp();
    const end = await it.run(command);
    const ended = typeof how === 'number' ? { status: how, signal: null } : { status: null, signal: how };
    expect(end).toEqual({ ...ended, tail: output, answered: [] });
    expect(it.said()).toEqual(output);
  });

  test('its two outputs come in the order in which it writes them', async () => {
    await using it = await setUp();
    const lines = Array.from({ length: 50 }, (_, i) => i);
    await it.run(`for i in ${lines.join(' ')}; do echo $i; echo e$i >&2; done`);
    expect(it.said()).toBe(lines.map(i => `${i}\ne${i}\n`).join(''));
  });

  test('characters that are cut arrive whole', async () => {
    const text = 'Größe: 12 €, 漢字 🙂';
    const play = async ({ channel }: Played) => {
      for (const byte of Buffer.from(text)) await new Promise(done => channel.write(Buffer.of(byte), done));
      channel.exit(0);
      channel.end();
    };
    await using it = await setUp({ play });
    expect(await it.run('x')).toMatchObject({ tail: text });
    expect(it.said()).toBe(text);
  });

  test('what a server says on stderr itself is heard too', async () => {
    const play = async ({ channel }: Played) => {
      channel.stderr.write('from ');
      await eventually(() => expect(it.said()).toBe('from '));
      channel.write('both');
      channel.exit(0);
      channel.end();
    };
    await using it = await setUp({ play });
    await it.run('x');
    expect(it.said()).toBe('from both');
  });

  test('gets what is for its stdin, and the end of it', async () => {
    await using it = await setUp();
    const stdin = Buffer.alloc(3_000_000, 'x');
    expect(await it.run('wc -c', { stdin })).toMatchObject({ tail: expect.stringMatching(/^\s*3000000\n$/) });
  });

  test('leaves something behind that holds its output: nobody waits for that', async () => {
    await using it = await setUp();
    const end = await it.run(`sleep 60 & echo $! >${quote(file('pid'))}; exit 3`, { linger: 100 });
    expect(end).toMatchObject({ status: 3 });
    process.kill(await pidIn('pid'));
  });

  test('several run side by side', async () => {
    await using it = await setUp();
    const ends = await Promise.all([1, 2, 3].map(i => it.run(`echo ${i}; exit ${i}`)));
    expect(ends.map(({ status, tail }) => [status, tail])).toEqual([1, 2, 3].map(i => [i, `${i}\n`]));
  });

  test('is refused by the server', async () => {
    await using it = await setUp({ refuses: true });
    expect(await failure(it.run('x'), SshError)).toMatchObject({ code: 'not_started' });
  });

  test('is closed at once, without a word', async () => {
    await using it = await setUp({ play: ({ channel }) => channel.close() });
    expect(await it.failed('x')).toMatchObject({ code: 'outcome_unknown', end: null });
  });
});

describe('its output', () => {
  test('is handed on whole, and kept in its last part', async () => {
    await using it = await setUp();
    let length = 0;
    const onOutput = (text: string) => {
      length += text.length;
    };
    const end = await it.run(`head -c 20000000 /dev/zero | tr '\\0' x; echo end`, { onOutput });
    expect(length).toBe(20_000_004);
    expect(end.tail).toBe(`${'x'.repeat(65_532)}end\n`);
  });

  test('makes the command wait for whoever takes it', async () => {
    await using it = await setUp();
    // Bytes of as many lines, each of them news.
    const [count, bytes] = [1_000_000, 6_888_896];
    const gate = Promise.withResolvers<void>();
    let taken = 0;
    const onOutput = (text: string) => {
      taken += text.length;
      return gate.promise;
    };
    const script = `seq ${count}; echo written >${quote(file('done'))}`;
    // Held longer than the silence allowed: that does not count.
    const running = it.run(script, { onOutput, silence: 1_500 });
    await eventually(() => expect(taken).toBeGreaterThan(0));
    const mute = await it.failed('sleep 60', { silence: 1_800 });
    expect(mute).toMatchObject({ code: 'silent' });
    expect(taken).toBeLessThan(100_000);
    expect(existsSync(file('done'))).toBe(false);
    gate.resolve();
    expect(await running).toMatchObject({ status: 0 });
    expect(taken).toBe(bytes);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('no space');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no space'))],
  ])('is given up with the one who takes it: it %s', async (_, onOutput) => {
    await using it = await setUp();
    const error = await it.failed(`echo $$ >${quote(file('pid'))}; echo x; sleep 60`, { onOutput });
    expect(error).toMatchObject({ code: 'output', cause: { message: 'no space' }, tail: 'x\n' });
    expect(lives(await pidIn('pid'))).toBe(false);
  });
});

describe('prompts', () => {
  const prompts = [
    { name: 'newer', pattern: /should we use that \? \[yY\/nN\]/, answer: 'n' },
    { name: 'update', pattern: /these values \? \[Yy\/Nn\]/, answer: 'y' },
    { name: 'menu', pattern: /#\?/, answer: '2' },
  ];
  const ask = `
    printf 'should we use that ? [yY/nN]' >&2; read a; echo "got <$a>"
    echo 'these values ? [Yy/Nn]'; read b; echo "got <$b>"`;

  test('are answered by name, wherever they are said', async () => {
    await using it = await setUp();
    const end = await it.run(ask, { prompts });
    expect(end).toMatchObject({ status: 0, answered: ['newer', 'update'] });
    expect(it.said()).toContain('got <n>');
    expect(it.said()).toContain('got <y>');
  });

  test('cut within a colour or a character, it is still the same prompt', async () => {
    const prompt = Buffer.from('\x1b[1m→ should we use that ? [yY/nN]');
    let cut = 0;
    const play = async ({ channel, stdin }: Played) => {
      await new Promise(done => channel.write(prompt.subarray(0, cut), done));
      channel.write(prompt.subarray(cut));
      await eventually(() => expect(stdin()).toBe('n\n'), { interval: 5 });
      channel.exit(0);
      channel.end();
    };
    await using it = await setUp({ play });
    for (cut of [1, 3, 5, 12, 34]) {
      expect(await it.run('x', { prompts, settle: 10 })).toMatchObject({ answered: ['newer'] });
    }
  });

  test("bash's menu", async () => {
    await using it = await setUp();
    const menu = `bash -c 'select d in sda sdb; do echo "chose $d"; break; done'`;
    expect(await it.run(menu, { prompts })).toMatchObject({ status: 0, answered: ['menu'] });
    expect(it.said()).toContain('chose sdb');
  });

  test('without a prompt, stdin is neither written nor closed', async () => {
    await using it = await setUp();
    const error = await it.failed('read a; echo "got <$a>"', { silence: 300 });
    expect(error).toMatchObject({ code: 'silent', tail: '' });
    expect(it.said()).toBe('');
  });

  test('unknown: the command is stopped, and the question told', async () => {
    await using it = await setUp();
    const command = `echo $$ >${quote(file('pid'))}; echo fine; printf 'Format sdb? [yY/nN] : '; read a; echo "did <$a>"`;
    const error = await it.failed(command, { prompts, promptPatience: 200 });
    expect(error).toMatchObject({
      code: 'unknown_prompt',
      prompt: { name: null, text: 'Format sdb? [yY/nN] :' },
      end: { status: null, signal: 'SIGTERM' },
    });
    expect(error.message).not.toContain('Format');
    expect(it.said()).not.toContain('did');
    expect(lives(await pidIn('pid'))).toBe(false);
  });

  test('are none where stdin has something else', async () => {
    await using it = await setUp();
    const error = await it.failed(`printf 'should we use that ? [yY/nN]'; sleep 60`, {
      prompts,
      stdin: Buffer.from('x'),
      promptPatience: 200,
    });
    expect(error).toMatchObject({ code: 'unknown_prompt', prompt: { name: null } });
  });
});

/** Cancels a command when it says something. */
function atFirstWord(reason?: unknown): Pick<RunOptions, 'signal' | 'onOutput'> {
  const abort = new AbortController();
  return { signal: abort.signal, onOutput: () => abort.abort(reason) };
}

describe('it is given up', () => {
  test('after silence', async () => {
    await using it = await setUp();
    const error = await it.failed('echo begun; sleep 60', { silence: 1_000 });
    expect(error).toMatchObject({ code: 'silent', tail: 'begun\n', end: { signal: 'SIGTERM' } });
  });

  test('after a progress meter that stands still, however often it is painted', async () => {
    await using it = await setUp();
    const row = String.raw`\r  3  341M    3 12.4M    0     0  %4dk      0  0:05:41  0:00:%02d  0:05:29     0`;
    const meter = `i=0; while :; do i=$((i + 1)); printf '${row}' $((9000 / i)) $i; sleep 0.05; done`;
    const error = await it.failed(`echo from https://global.example/x.pat; ${meter}`, { silence: 1_000 });
    expect(error).toMatchObject({ code: 'silent', stall: { stands: '12.4M of 341M', host: 'global.example' } });
    expect(error.message).toBe('nothing new came from the command for 1 second');
    // It was painted to the end.
    expect(error.tail.split('\r').length).toBeGreaterThan(5);
  });

  test('not while it drips', async () => {
    await using it = await setUp();
    const end = await it.run('for i in 1 2 3 4 5 6 7 8 9; do printf .; sleep 0.2; done', { silence: 1_500 });
    expect(end).toMatchObject({ status: 0, tail: '.........' });
  });

  test('at its deadline, dripping or not', async () => {
    await using it = await setUp();
    const error = await it.failed('while :; do echo x; sleep 0.05; done', { deadline: 400 });
    expect(error).toMatchObject({ code: 'deadline', end: { signal: 'SIGTERM' } });
  });

  test('when it is cancelled, and with all that it started', async () => {
    await using it = await setUp();
    const reason = new Error('enough');
    const command = `sleep 61 & echo $! >${quote(file('child'))}; echo $$ >${quote(file('pid'))}; echo begun; wait`;
    const error = await it.failed(command, atFirstWord(reason));
    expect(error).toMatchObject({ code: 'cancelled', cause: reason, end: { signal: 'SIGTERM' } });
    expect(it.server.signals).toEqual(['TERM']);
    for (const each of ['child', 'pid']) expect(lives(await pidIn(each))).toBe(false);
  });

  test('before it began', async () => {
    await using it = await setUp();
    const signal = AbortSignal.abort();
    expect(await it.failed('echo x', { signal })).toMatchObject({ code: 'cancelled', end: null });
    expect(it.server.commands).toEqual([]);
  });

  test.each([
    ['ignores signals', { ignoresSignals: true }],
    ['makes no group of it', { grouped: false }],
  ])('by a server that %s', async (_, options) => {
    await using it = await setUp(options);
    const error = await it.failed(`sleep 61 & echo $! >${quote(file('child'))}; echo begun; wait`, atFirstWord());
    expect(error).toMatchObject({ code: 'cancelled', end: { signal: 'SIGTERM' } });
    expect(lives(await pidIn('child'))).toBe(false);
  });

  test('deaf to TERM', async () => {
    await using it = await setUp();
    const error = await it.failed(`trap '' TERM; echo begun; while :; do sleep 1; done`, atFirstWord());
    expect(error).toMatchObject({ code: 'cancelled', end: { signal: 'SIGKILL' } });
    expect(it.server.signals).toEqual(['TERM', 'KILL']);
  });

  test('its last words are heard', async () => {
    await using it = await setUp();
    const error = await it.failed(`trap 'echo cleaning; exit 7' TERM; echo begun; while :; do sleep 0.1; done`, {
      ...atFirstWord(),
      grace: 2_000,
    });
    expect(error).toMatchObject({ code: 'cancelled', end: { status: 7 }, tail: expect.stringContaining('cleaning\n') });
  });

  test('what no means stop may still run, and that is said', async () => {
    const commands: Played[] = [];
    await using it = await setUp({ ignoresSignals: true, play: command => commands.push(command) });
    const error = await it.failed('x', { silence: 200, grace: 100 });
    expect(error).toMatchObject({ code: 'silent', end: null });
    expect(it.server.commands.slice(1)).toEqual([
      expect.stringContaining(`kill -TERM -${playedGroup}`),
      expect.stringContaining(`kill -KILL -${playedGroup}`),
    ]);
    await eventually(() => expect(commands[0]?.closed()).toBe(true));
  });
});

describe('the connection is lost', () => {
  test('while it runs: its outcome is unknown', async () => {
    await using it = await setUp();
    const error = await it.failed('echo begun; sleep 60', { onOutput: () => it.server.drop() });
    expect(error).toMatchObject({ code: 'connection_lost', end: null, tail: 'begun\n' });
  });

  test('without anybody noticing: until nothing is answered', async () => {
    await using it = await setUp({ keepalive: 200 });
    const error = await it.failed('echo begun; sleep 60', { onOutput: () => it.server.freeze() });
    expect(error).toMatchObject({ code: 'connection_lost', end: null });
  });

  test('after it has said how it ended: that is known', async () => {
    const play = ({ channel }: Played) => {
      channel.exit(4);
      setTimeout(() => it.server.drop(), 50);
    };
    await using it = await setUp({ play });
    expect(await it.run('x')).toMatchObject({ status: 4 });
  });

  test('while it is being stopped', async () => {
    await using it = await setUp({
      ignoresSignals: true,
      play: ({ command }) => command.includes('kill') && it.server.drop(),
    });
    expect(await it.failed('x', { silence: 200, grace: 10_000 })).toMatchObject({ code: 'silent', end: null });
  });

  test('a channel that ends without an exit status is none of that', async () => {
    const play = ({ channel }: Played) => {
      channel.write('rebooting');
      channel.end();
    };
    await using it = await setUp({ play });
    expect(await it.failed('x')).toMatchObject({ code: 'outcome_unknown', end: null, tail: 'rebooting' });
    expect(it.session.over).toBe(false);
  });
});
