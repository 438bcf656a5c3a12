import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogFile } from '../../../src/loader/job/log-file.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-'));
  path = join(folder, 'log');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const lines = async () => (await readFile(path, 'utf8')).trimEnd().split('\n');

test('output without end: the log is not, and says how much is left out, and has its last lines', async () => {
  const log = await LogFile.open(path, 10_000);
  await log.say('begun');
  for (let nth = 1; nth <= 50_000; nth++) await log.output(`line ${nth}`);
  await log.say('stopped');
  for (let nth = 1; nth <= 300; nth++) await log.output(`more ${nth}`);
  await log.end();
  const text = await lines();
  const first = text.filter(line => line.startsWith('line')).length;
  expect(text[0]).toBe('begun');
  expect(text[first - 200 + 1]).toBe(`… ${50_000 - first} lines are left out here: the log is long enough`);
  expect(text[text.indexOf('stopped') - 1]).toBe('line 50000');
  expect(text[text.indexOf('stopped') - 200]).toBe('line 49801');
  expect(text[text.indexOf('stopped') + 1]).toMatch(/^… 100 lines/);
  expect(text.at(-1)).toBe('more 300');
  expect((await stat(path)).size).toBeLessThan(20_000);
});

test('what a usual build says is there to the last line', async () => {
  const log = await LogFile.open(path);
  for (let nth = 1; nth <= 20_000; nth++) await log.output(`line ${nth}`);
  await log.end();
  expect(await lines()).toHaveLength(20_000);
});

test('a full disk holds nobody up', async () => {
  const log = await LogFile.open('/dev/full');
  for (let nth = 0; nth < 1_000; nth++) await log.output('x'.repeat(1_000));
  await log.say('on');
  await log.end();
});
