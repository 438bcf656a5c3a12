import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { page } from '../../scripts/entities-doc.ts';

test('docs/entities.md is current', async () => {
  expect(await readFile(new URL('../../docs/entities.md', import.meta.url), 'utf8')).toBe(page());
});
