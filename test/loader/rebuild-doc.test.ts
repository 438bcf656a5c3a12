import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { filled } from '../../scripts/rebuild-doc.ts';

const page = await readFile(new URL('../../docs/rebuild.md', import.meta.url), 'utf8');

test('what docs/rebuild.md has from the code is current', () => {
  expect(filled(page)).toBe(page);
});

test('docs/rebuild.md tells of every reason to refuse or warn', async () => {
  const files = ['plan/preflight', 'kinds/tcrp/preflight', 'kinds/rr/preflight'];
  const folder = new URL('../../src/loader/', import.meta.url);
  const sources = await Promise.all(files.map(each => readFile(new URL(`${each}.ts`, folder), 'utf8')));
  const codes = sources.flatMap(text => [...text.matchAll(/\b(?:refuse|warn)\('(\w+)'/g)].map(([, code]) => code));
  expect(codes.length).toBeGreaterThan(25);
  expect(codes.filter(code => !page.includes(`\`${code}\``))).toEqual([]);
});
