import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { filled } from '../../scripts/config-doc.ts';
import { leafPaths, variableName } from '../../src/config/shape.ts';

const page = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');

test('what docs/configuration.md has from the schema is current', () => {
  expect(filled(page)).toBe(page);
});

test('the variables that it names are there', () => {
  const known = leafPaths().map(variableName);
  const named = [...page.matchAll(/`(DSM2MQTT_\w+)=/g)].map(([, name]) => name ?? '');
  expect(named).toHaveLength(3);
  expect(known).toEqual(expect.arrayContaining(named));
});
