/** A serial log, whatever is done to the file. */
import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tail } from '../../src/boot/tail.ts';
import { eventually } from '../eventually.ts';

let folder: string;
let path: string;
let text: string;
let stop: AbortController;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tail-'));
  path = join(folder, 'serial.log');
  text = '';
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await rm(folder, { recursive: true });
});

const follow = (from = 0) => {
  const hear = (bytes: Buffer) => {
    text += bytes.toString();
  };
  return tail({ path, from, hear, signal: stop.signal, interval: 5 });
};
const heard = (expected: string) => eventually(async () => expect(text).toBe(expected));

test('what is added comes, and not what was there before', async () => {
  await writeFile(path, 'old');
  const following = follow(3);
  await appendFile(path, 'new');
  await heard('new');
  await appendFile(path, ', newer');
  await heard('new, newer');
  stop.abort();
  await following;
});

test('a file that is emptied at the start of the VM is read from its beginning', async () => {
  await writeFile(path, 'a long old log');
  void follow(14);
  await truncate(path);
  await appendFile(path, 'new');
  await heard('new');
});

test('rotated away, it is read to its end, and then the new one', async () => {
  await writeFile(path, 'one');
  void follow();
  await heard('one');
  await appendFile(path, ' two');
  await rename(path, `${path}.0`);
  await appendFile(`${path}.0`, ' three');
  await heard('one two three');
  await writeFile(path, ' four');
  await heard('one two three four');
});

test('a file that comes later is waited for', async () => {
  void follow();
  await writeFile(path, 'late');
  await heard('late');
});

test('of ten megabytes at once it leaves most out', async () => {
  await writeFile(path, 'start');
  void follow();
  await heard('start');
  await appendFile(path, `${'x'.repeat(10 << 20)}end`);
  await eventually(async () => expect(text.endsWith('end')).toBe(true));
  expect(text.length).toBeLessThan(8 << 20);
});

test('what cannot be read is refused', async () => {
  path = folder;
  await expect(follow()).rejects.toThrow('EISDIR');
});

test('a pipe that nobody writes to does not hold it', async () => {
  execFileSync('mkfifo', [path]);
  const following = follow();
  stop.abort();
  await following;
  expect(text).toBe('');
});
