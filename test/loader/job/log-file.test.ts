import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { beginLog, LogFile } from '../../../src/loader/job/log-file.ts';
import { temporary } from '../image/images.ts';

const at = (hour: number) => new Date(Date.UTC(2026, 10, 26, hour));

async function place() {
  const { folder, ...rest } = await temporary();
  const path = join(folder, 'log');
  const lines = async () => (await readFile(path, 'utf8')).trimEnd().split('\n');
  return { folder, path, lines, ...rest };
}

test('output without end: the log has one, says how much is left out, and has the last lines', async () => {
  await using it = await place();
  const log = await LogFile.open(it.path, 10_000);
  await log.say('begun');
  for (let nth = 1; nth <= 50_000; nth++) await log.output(`line ${nth}`);
  await log.say('stopped');
  for (let nth = 1; nth <= 300; nth++) await log.output(`more ${nth}`);
  await log.end();
  const text = await it.lines();
  const first = text.filter(line => line.startsWith('line')).length;
  expect(text[0]).toBe('begun');
  expect(text[first - 200 + 1]).toBe(`… ${50_000 - first} lines are left out here: the log is long enough`);
  expect(text[text.indexOf('stopped') - 1]).toBe('line 50000');
  expect(text[text.indexOf('stopped') - 200]).toBe('line 49801');
  expect(text[text.indexOf('stopped') + 1]).toMatch(/^… 100 lines/);
  expect(text.at(-1)).toBe('more 300');
  expect((await stat(it.path)).size).toBeLessThan(20_000);
});

test('a usual build is there to its last line; its lines wait together, without a listener each', async () => {
  await using it = await place();
  const warnings: string[] = [];
  const hear = ({ name }: Error) => warnings.push(name);
  process.on('warning', hear);
  const log = await LogFile.open(it.path);
  try {
    const waits = Array.from({ length: 20_000 }, (_, nth) => log.output(`line ${nth}`.padEnd(100)));
    expect(waits.at(-1)).toBeInstanceOf(Promise);
    await Promise.all(waits);
    await log.end();
    // Warnings come a moment later.
    await new Promise(setImmediate);
  } finally {
    process.off('warning', hear);
  }
  expect(warnings).toEqual([]);
  expect(await it.lines()).toHaveLength(20_000);
});

test('a full disk holds nobody up', async () => {
  const log = await LogFile.open('/dev/full');
  for (let nth = 0; nth < 1_000; nth++) await log.output('x'.repeat(1_000));
  await log.say('on');
  expect(await log.end()).toBeUndefined();
});

test('the last ten logs stay, of each VM by itself', async () => {
  await using it = await place();
  for (const key of ['DSM', 'DSM-2']) {
    for (let hour = 0; hour < 12; hour++) await (await beginLog(it.folder, key, at(hour))).log.end();
  }
  const names = (await readdir(it.folder)).sort();
  const expected = (key: string) =>
    Array.from({ length: 10 }, (_, nth) => `${key}-20261126T${`${nth + 2}`.padStart(2, '0')}0000Z.log`);
  expect(names).toEqual([...expected('DSM-2'), ...expected('DSM')]);
});

test('a log that cannot be begun rejects', async () => {
  await using it = await place();
  await writeFile(join(it.folder, 'file'), '');
  await expect(beginLog(join(it.folder, 'file'), 'DSM', at(1))).rejects.toThrow();
  await mkdir(join(it.folder, 'DSM-20261126T010000Z.log'));
  await expect(beginLog(it.folder, 'DSM', at(1))).rejects.toThrow();
});
