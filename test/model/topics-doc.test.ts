import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { page } from '../../scripts/topics-doc.ts';

test('docs/topics.md is current', async () => {
  expect(await readFile(new URL('../../docs/topics.md', import.meta.url), 'utf8')).toBe(page());
});
