import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LineFile, readLines } from '../../src/util/line-file.ts';
import { recorder } from '../mqtt/inbox.ts';

let folder: string;
let path: string;
let log: ReturnType<typeof recorder>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lines-'));
  path = join(folder, 'history', 'DSM');
  log = recorder();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const line = (number: number, at = '2026-11-22T08:00:00.000Z') => ({ at, number });
const file = (largest?: number) => new LineFile({ path, logger: log, ...(largest !== undefined && { largest }) });
const text = (name = 'DSM.jsonl') => readFile(join(folder, 'history', name), 'utf8');

async function append(...lines: { at: string }[]): Promise<void> {
  const one = file();
  one.append(lines);
  await one.settled();
}

/** What is there before a bridge starts. */
async function left(content: string): Promise<void> {
  await mkdir(join(folder, 'history'), { recursive: true });
  await writeFile(`${path}.jsonl`, content);
}

test('appends, in order, in a folder that it makes, and for its owner alone', async () => {
  const one = file();
  for (let number = 0; number < 20; number++) one.append([line(number)]);
  await one.settled();
  await append(line(20));
  expect(await readLines(path)).toEqual({ lines: Array.from({ length: 21 }, (_, i) => line(i)), unreadable: 0 });
  expect((await stat(`${path}.jsonl`)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, 'history'))).mode & 0o777).toBe(0o700);
  expect(log.entries).toEqual([]);
});

test('nothing is there yet', async () => {
  expect(await readLines(path)).toEqual({ lines: [], unreadable: 0 });
});

describe('nothing that was there is lost, and the new line is whole', () => {
  const whole = `${JSON.stringify(line(1))}\n`;
  test.each<[what: string, content: string, before: unknown[], unreadable: number]>([
    ['a last line that was cut off', `${whole}{"at":"2026-11-2`, [line(1)], 1],
    ['a last line of which only its end is missing', `${whole}${JSON.stringify(line(2))}`, [line(1), line(2)], 0],
    ['garbage in the middle', `${whole}\0\0\u00ff{[\n${whole}`, [line(1), line(1)], 1],
    ['garbage alone', 'no JSON', [], 1],
    ['empty lines', `\n\n${whole}\n`, [line(1)], 0],
    ['other JSON', `7\n"x"\n${whole}`, [7, 'x', line(1)], 0],
  ])('after %s', async (_, content, before, unreadable) => {
    await left(content);
    await append(line(9));
    expect(await text()).toContain(content);
    expect(await readLines(path)).toEqual({ lines: [...before, line(9)], unreadable });
  });
});

describe('a new file begins', () => {
  test('when it would become too large; the one before stays', async () => {
    const one = file(100);
    for (let number = 1; number <= 5; number++) {
      one.append([line(number)]);
      await one.settled();
    }
    // Two lines fit into a file.
    expect(await readLines(path)).toMatchObject({ lines: [3, 4, 5].map(number => line(number)), unreadable: 0 });
    expect((await text()).length).toBeLessThanOrEqual(100);
    expect((await text('DSM.1.jsonl')).length).toBeLessThanOrEqual(100);
  });

  test('90 days after its first line', async () => {
    await append(line(1, '2026-01-01T00:00:00.000Z'));
    await append(line(2, '2026-03-31T23:00:00.000Z'));
    expect(await text()).toContain('"number":2');
    await append(line(3, '2026-04-01T01:00:00.000Z'));
    expect((await text()).trim()).toBe(JSON.stringify(line(3, '2026-04-01T01:00:00.000Z')));
    expect((await readLines(path)).lines).toHaveLength(3);
  });

  test('not because its first line is no line', async () => {
    await left('garbage\n');
    await append(line(1));
    expect(await text()).toContain('garbage');
  });
});

describe('what cannot be written', () => {
  test('waits, is told once, and is written when it can be', async () => {
    await writeFile(join(folder, 'history'), 'in the way');
    const one = file();
    one.append([line(1)]);
    await one.settled();
    one.append([line(2)]);
    await one.settled();
    expect(log.entries).toMatchObject([{ level: 'warn', event: 'record.unwritable', path: `${path}.jsonl` }]);
    await rm(join(folder, 'history'));
    await one.settled();
    expect(await readLines(path)).toEqual({ lines: [line(1), line(2)], unreadable: 0 });
  });

  test('for want of room leaves no half line, and what was there stays', async () => {
    await left(`${JSON.stringify(line(1))}\n`);
    // A file may have one KiB there, and of the second line only a part fits.
    const source = new URL('../../src/util/line-file.ts', import.meta.url).href;
    const script = `
      const { LineFile } = await import(${JSON.stringify(source)});
      const told = [];
      const logger = { warn: fields => told.push(fields.event) };
      const one = new LineFile({ path: ${JSON.stringify(path)}, logger });
      one.append([{ at: 'x', filler: 'y'.repeat(2000) }]);
      await one.settled();
      await one.settled();
      if (told.join() !== 'record.unwritable') process.exit(3);`;
    const shell = `trap '' XFSZ; ulimit -f 1; exec "$0" --input-type=module -e "$1"`;
    const child = spawn('bash', ['-c', shell, process.execPath, script], { stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(await text()).toBe(`${JSON.stringify(line(1))}\n`);
    await append(line(2));
    expect(await readLines(path)).toEqual({ lines: [line(1), line(2)], unreadable: 0 });
  });
});

test('a file that cannot be read is an error, and none is', async () => {
  await mkdir(`${path}.jsonl`, { recursive: true });
  await expect(readLines(path)).rejects.toMatchObject({ code: 'EISDIR' });
});
