import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadRecord, saveRecord } from '../../../src/loader/job/journal.ts';
import { temporary } from '../image/images.ts';
import { record } from './records.ts';

test('a record is read as it was written, and by its own VM alone', async () => {
  await using place = await temporary();
  expect(await loadRecord(place.folder, 'DSM')).toBeNull();
  await saveRecord(place.folder, 'DSM', record);
  expect(await loadRecord(place.folder, 'DSM')).toEqual(record);
  expect(await loadRecord(place.folder, 'DSM2')).toBeNull();
});

test.each([
  ['no JSON', '{"version":1'],
  ['of another version', JSON.stringify({ ...record, version: 2 })],
  ['with a phase that there is not', JSON.stringify({ ...record, phase: 'dreaming' })],
  ['empty', ''],
])('%s is damaged, and not as if there were none', async (_, text) => {
  await using place = await temporary();
  await writeFile(join(place.folder, 'DSM.json'), text);
  expect(await loadRecord(place.folder, 'DSM')).toBe('damaged');
});

test('one that cannot be written rejects, and leaves nothing behind', async () => {
  await using place = await temporary();
  await saveRecord(place.folder, 'DSM', record);
  await expect(saveRecord(join(place.folder, 'DSM.json'), 'x', record)).rejects.toThrow();
  expect(await readdir(place.folder)).toEqual(['DSM.json']);
  expect(await loadRecord(place.folder, 'DSM')).toEqual(record);
});
