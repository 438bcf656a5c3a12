/** The program as a script calls it: the table of verbs, read by the process itself. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
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

test('a full disk: what was lost is said, and it has failed', async () => {
  const child = spawn('sh', ['-c', 'exec "$0" "$@" >/dev/full', process.execPath, program, 'schema']);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text;
  });
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(stderr).toBe('The output cannot be written: ENOSPC: no space left on device, write\n');
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
