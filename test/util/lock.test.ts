import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFolder } from '../../src/util/lock.ts';
import { Inbox } from '../mqtt/inbox.ts';

let folder: string;
let others: Other[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock ?#%-'));
  others = [];
});
afterEach(async () => {
  await Promise.all(others.map(other => other.kill()));
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true, force: true });
});

/** Another process. It says `ready`; at a line it tries, says how that went, and lives until it is killed. */
class Other {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly lines = new Inbox<string>();
  readonly complaints = new Inbox<string>();

  constructor(before = '') {
    const module = new URL('../../src/util/lock.ts', import.meta.url).href;
    const script = `
      import { once } from 'node:events';
      import { lockFolder } from ${JSON.stringify(module)};
      ${before}
      console.log('ready');
      await once(process.stdin, 'data');
      console.log((await lockFolder(${JSON.stringify(folder)})).reason);
      globalThis.gc?.();
      setInterval(() => globalThis.gc?.(), 20);`;
    const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', script]);
    this.#child = child;
    this.#exit = once(child, 'exit');
    createInterface(child.stdout).on('line', this.lines.push);
    createInterface(child.stderr).on('line', this.complaints.push);
    others.push(this);
  }

  async lock(): Promise<string> {
    await this.lines.take(line => line === 'ready', { deadline: 60_000 });
    this.#child.stdin?.write('go\n');
    return this.lines.take(undefined, { deadline: 60_000 });
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

test('is for one at a time, and leaves an empty file of its own', async () => {
  const path = join(folder, 'a', 'b');
  const one = await lockFolder(path);
  expect(one.reason).toBe(null);
  expect(await lockFolder(path)).toEqual({ reason: 'held', message: `another process uses ${path}` });
  expect(await lockFolder(`${path}/../b/`)).toMatchObject({ reason: 'held' });
  await symlink(path, join(folder, 'link'));
  expect(await lockFolder(join(folder, 'link'))).toMatchObject({ reason: 'held' });
  expect(await readdir(path)).toEqual(['lock']);
  expect(await stat(join(path, 'lock'))).toMatchObject({ size: 0, mode: 0o100600 });
  if ('release' in one) for (const _ of [1, 2]) one.release();
  expect(await readdir(path)).toEqual(['lock']);
});

test('is free again when it is released, and not by one that was released before', async () => {
  const one = await lockFolder(folder);
  if ('release' in one) one.release();
  {
    using two = (await lockFolder(folder)) as Extract<typeof one, Disposable>;
    expect(two.reason).toBe(null);
    if ('release' in one) one.release();
    expect(await lockFolder(folder)).toMatchObject({ reason: 'held' });
  }
  const three = await lockFolder(folder);
  expect(three.reason).toBe(null);
  if ('release' in three) three.release();
});

test('two folders are two locks; of many calls at once one gets it', async () => {
  const tries = await Promise.all([1, 2, 3, 4].flatMap(() => ['x', 'y'].map(name => lockFolder(join(folder, name)))));
  const won = tries.filter(each => 'release' in each);
  expect(won).toHaveLength(2);
  for (const lock of won) lock.release();
});

test('keeps another process out until it is killed, and says nothing on standard error', async () => {
  const other = new Other();
  expect(await other.lock()).toBe('null');
  expect(await readdir(folder)).toEqual(['lock']);
  for (const _ of [1, 2, 3]) expect(await lockFolder(folder)).toMatchObject({ reason: 'held' });
  expect(await new Other().lock()).toBe('held');
  await other.kill();
  const one = await lockFolder(folder);
  expect(one.reason).toBe(null);
  expect(await new Other().lock()).toBe('held');
  if ('release' in one) one.release();
  expect(await new Other().lock()).toBe('null');
  expect(others.flatMap(({ complaints }) => complaints.all)).toEqual([]);
});

test('of twenty processes at once exactly one gets it', async () => {
  const twenty = Array.from({ length: 20 }, () => new Other());
  const answers = await Promise.all(twenty.map(other => other.lock()));
  expect(answers.toSorted()).toEqual([...Array(19).fill('held'), 'null']);
});

test('says why a folder cannot be locked', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await mkdir(join(folder, 'odd', 'lock'), { recursive: true });
  await mkdir(join(folder, 'full'));
  await writeFile(join(folder, 'full', 'lock'), 'something else '.repeat(1_000));
  await symlink(join(folder, 'nowhere'), join(folder, 'dangling'));
  for (const [path, why] of [
    [file, 'ENOTDIR'],
    [join(file, 'sub'), 'ENOTDIR'],
    [join(folder, 'odd'), 'cannot be opened'],
    [join(folder, 'full'), 'is not empty'],
    [join(folder, 'dangling'), 'ENOENT'],
    [`${folder}/a\0b`, 'null bytes'],
  ] as const) {
    const refusal = await lockFolder(path);
    expect(refusal).toMatchObject({ reason: 'unwritable' });
    expect('message' in refusal && refusal.message).toContain(why);
  }
});

test.each(['0777', '0555'])('a lock file that cannot be written is no lock, in a folder of mode %s', async mode => {
  const asNobody = process.getuid?.() === 0 ? 'process.seteuid(65534);' : '';
  await writeFile(join(folder, 'lock'), '', { mode: 0o444 });
  await chmod(folder, Number.parseInt(mode, 8));
  expect(await new Other(asNobody).lock()).toBe('unwritable');
  await chmod(folder, 0o755);
  await rm(join(folder, 'lock'));
  await chmod(folder, 0o555);
  expect(await new Other(asNobody).lock()).toBe('unwritable');
});

test('a folder that it makes is for its owner alone', async () => {
  const made = join(folder, 'made', 'here');
  const lock = await lockFolder(made);
  expect((await stat(made)).mode & 0o777).toBe(0o700);
  if (lock.reason === null) lock.release();
});
