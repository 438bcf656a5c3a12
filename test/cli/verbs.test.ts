/** The program as a script calls it: the table of verbs, read by the process itself. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { filled } from '../../scripts/cli-doc.ts';
import { jsonSchema } from '../../src/config/shape.ts';
import { directory, minimal } from '../config/harness.ts';
import { startAedes } from '../mqtt/aedes.ts';

const program = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [program, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

test('schema: what the configuration is checked by', async () => {
  const { code, stdout } = await run('schema');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual(jsonSchema);
});

test('help names every verb, and what a verb takes', async () => {
  const { stdout } = await run('--help');
  expect(stdout).toMatch(/^ {2}rollback \[options\] <vm> /m);
  expect((await run('send', '--help')).stdout).toMatch(/^ +command +start, shutdown, .*^ +value +on or off/ms);
});

test.each([
  [['explode'], /unknown command 'explode'/],
  [['send', 'NAS', 'start'], /has no VM 'NAS'. It has DSM/],
  [['send', 'DSM', 'autostart'], /^autostart is on or off: say which$/m],
  [['status', '--config', ''], /--config names no file/],
  [['status', '--config', 'none.yaml'], /none.yaml does not exist/],
  [['shutdown', 'DSM', '--direct', '--timeout', 'soon'], /timeout/],
])('2, and why: %j', async (args, why) => {
  using _ = directory({ 'config.yaml': minimal });
  expect(await run(...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(why) });
});

test('arguments and options arrive: each verb ends with its own code', async () => {
  using _ = directory({ 'other.yaml': `${minimal}libvirt: { uri: "qemu:///system?socket=/none" }\n` });
  const checked = await run('check-config', '--json', '--config', 'other.yaml');
  expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('"ok": true') });
  expect(await run('status', '-c', 'other.yaml')).toMatchObject({ code: 3, stderr: expect.stringContaining('/none') });
});

/** The program, after some words of a shell. */
function shell(before: string, ...args: string[]) {
  return spawn('sh', ['-c', `${before} exec "$0" "$@"`, process.execPath, program, ...args]);
}

async function complaintOf(child: ReturnType<typeof shell>) {
  const stderr = text(child.stderr);
  const [code] = await once(child, 'exit');
  return { code, stderr: await stderr };
}

test('a working directory that was deleted', async () => {
  using _ = directory({});
  expect(await complaintOf(shell('mkdir gone && cd gone && rmdir ../gone;', 'status'))).toEqual({
    code: 2,
    stderr: 'The working directory was deleted: change to another one.\n',
  });
});

test('a dump that was cut off is not left', async () => {
  using place = directory({ 'config.yaml': `${minimal}libvirt: { uri: "qemu:///system?socket=/none" }\n` });
  expect(await complaintOf(shell('ulimit -f 0;', 'dump', '-o', 'it.json'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^it.json: EFBIG/),
  });
  expect(readdirSync(place.path)).toEqual(['config.yaml']);
});

test('Ctrl-C while the configuration is read', async () => {
  using _ = directory({});
  execFileSync('mkfifo', ['config.yaml']);
  const child = shell('', 'check');
  // Resolves when the other end is open, too.
  await using _file = await open('config.yaml', 'w');
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([null, 'SIGINT']);
});

test('a full disk: what was lost is said, and it has failed', async () => {
  expect(await complaintOf(shell('exec >/dev/full;', 'schema'))).toEqual({
    code: 1,
    stderr: 'The output cannot be written: ENOSPC: no space left on device, write\n',
  });
});

test('nobody reads: a verb that does more than print ends with what became of it', async () => {
  const broker = await startAedes();
  using _ = directory({ 'config.yaml': minimal.replace('broker', `127.0.0.1:${broker.port}`) });
  const child = spawn(process.execPath, [program, 'send', 'DSM', 'start'], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const output of [child.stdout, child.stderr]) output.destroy();
  expect(await once(child, 'exit')).toEqual([3, null]);
  await broker.kill();
});

test('what docs/command-line.md has from the table is current', () => {
  const page = readFileSync(new URL('../../docs/command-line.md', import.meta.url), 'utf8');
  expect(filled(page)).toBe(page);
});
