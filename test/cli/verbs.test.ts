/** The program as a script calls it: the table of verbs, read by the process itself. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { filled } from '../../scripts/cli-doc.ts';
import { jsonSchema } from '../../src/config/shape.ts';
import { directory, minimal } from '../config/harness.ts';

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

test('what docs/command-line.md has from the table is current', () => {
  const page = readFileSync(new URL('../../docs/command-line.md', import.meta.url), 'utf8');
  expect(filled(page)).toBe(page);
});
