import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { filled } from '../../scripts/doctor-doc.ts';

test('what docs/doctor.md has from the code is current', async () => {
  const page = await readFile(new URL('../../docs/doctor.md', import.meta.url), 'utf8');
  expect(filled(page)).toBe(page);
});
