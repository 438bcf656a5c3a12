import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Journal, type LoaderRecord } from '../../../src/loader/job/journal.ts';

const record: LoaderRecord = {
  ...{ version: 1, word: 'rebuild', phase: 'building', started_at: '2026-11-26T10:00:00.000Z', ended_at: null },
  ...{ result: null, code: null, error: null, next_step: null, uuid: 'u', touched: 'building' },
  backup: { file: '/b', at: '2026-11-26T10:00:00.000Z', size: 1 },
  ...{ boot_entry: 'Tiny Core', model: 'DS918+', dsm: 'ds918p-7.1.1-42962', verdict: 'up', host_key: null, log: 'l' },
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the record', () => {
  test('is read as it was written, and by its own VM alone', async () => {
    const [ours, other] = [new Journal(folder, 'DSM'), new Journal(folder, 'DSM2')];
    expect(await ours.load()).toBeNull();
    await ours.write(record);
    expect(await ours.load()).toEqual(record);
    expect(await other.load()).toBeNull();
  });

  test.each([
    ['no JSON', '{"version":1'],
    ['of another version', JSON.stringify({ ...record, version: 2 })],
    ['with a phase that there is not', JSON.stringify({ ...record, phase: 'dreaming' })],
    ['empty', ''],
  ])('%s is damaged, and not as if there were none', async (_, text) => {
    await writeFile(join(folder, 'DSM.json'), text);
    expect(await new Journal(folder, 'DSM').load()).toBe('damaged');
  });

  test('that cannot be written rejects, and the old one stays', async () => {
    const journal = new Journal(folder, 'DSM');
    await journal.write(record);
    // Where the new one is to be written first there is a folder, root or not.
    const entries = await readdir(folder);
    expect(entries).toEqual(['DSM.json']);
    const missing = new Journal(join(folder, 'DSM.json'), 'x');
    await expect(missing.write(record)).rejects.toThrow();
    expect(await journal.load()).toEqual(record);
  });
});

describe('the log', () => {
  const at = (hour: number) => new Date(Date.UTC(2026, 10, 26, hour));

  test('has every line with its time', async () => {
    const journal = new Journal(folder, 'DSM');
    const name = await journal.begin(at(1));
    await journal.line(at(1), 'one', 'say');
    await journal.line(at(2), 'two', 'output');
    await journal.end();
    expect(name).toBe('DSM-20261126T010000Z.log');
    expect(await readFile(journal.path(name), 'utf8')).toBe(
      '2026-11-26T01:00:00.000Z one\n2026-11-26T02:00:00.000Z two\n',
    );
  });

  test('of the last ten stays, of each VM by itself', async () => {
    for (const key of ['DSM', 'DSM-2']) {
      for (let hour = 0; hour < 12; hour++) {
        const journal = new Journal(folder, key);
        await journal.begin(at(hour));
        await journal.end();
      }
    }
    const names = await readdir(folder);
    expect(names.filter(name => name.startsWith('DSM-2026'))).toHaveLength(10);
    expect(names.filter(name => name.startsWith('DSM-2-'))).toHaveLength(10);
    expect(names).not.toContain('DSM-20261126T010000Z.log');
    expect(names).toContain('DSM-20261126T110000Z.log');
  });

  test('many lines at once wait together, without a listener each', async () => {
    const warnings: string[] = [];
    const hear = ({ name }: Error) => warnings.push(name);
    process.on('warning', hear);
    const journal = new Journal(folder, 'DSM');
    const name = await journal.begin(at(1));
    try {
      const waits = Array.from({ length: 5_000 }, () => journal.line(at(1), 'x'.repeat(100), 'output'));
      expect(waits.at(-1)).toBeInstanceOf(Promise);
      await Promise.all(waits);
      await journal.end();
      // Warnings come a moment later.
      await new Promise(setImmediate);
    } finally {
      process.off('warning', hear);
    }
    expect(warnings).toEqual([]);
    expect((await readFile(journal.path(name), 'utf8')).trimEnd().split('\n')).toHaveLength(5_000);
  });

  test('that cannot be begun rejects', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(new Journal(join(folder, 'file'), 'DSM').begin(at(1))).rejects.toThrow();
    await mkdir(join(folder, 'DSM-20261126T010000Z.log'));
    await expect(new Journal(folder, 'DSM').begin(at(1))).rejects.toThrow();
  });
});
