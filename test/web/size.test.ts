import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundlePage } from '../../scripts/build.ts';

let folder: string;
let packages: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'page-'));
  packages = await bundlePage(folder);
});

afterAll(() => rm(folder, { recursive: true }));

async function contents(): Promise<Record<string, string>> {
  const names = await readdir(folder);
  return Object.fromEntries(
    await Promise.all(names.map(async name => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

test('the page is three files of at most 60 KB as they are sent', async () => {
  const files = await contents();
  expect(Object.keys(files).sort()).toEqual(['app.css', 'app.js', 'index.html']);
  const bytes = Object.values(files).reduce((total, text) => total + gzipSync(text).length, 0);
  expect(bytes).toBeLessThan(60_000);
  expect(packages).toEqual(['node_modules/preact', 'node_modules/uplot']);
});

test('it names no other host: only the names of XML’s kinds look like addresses', async () => {
  const all = Object.values(await contents()).join('\n');
  const addresses = [...all.matchAll(/(?:https?:|wss?:)?\/\/[\w.-]+\.\w+[\w./]*/g)].map(([address]) => address);
  expect(addresses.filter(address => !/^http:\/\/www\.w3\.org\/\d{4}\//.test(address))).toEqual([]);
});

test('it has no script and no style that a strict policy refuses, and only relative addresses', async () => {
  const { 'index.html': html = '', 'app.js': script = '' } = await contents();
  expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  expect([...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, to]) => to?.slice(0, 7))).toEqual([
    'data:im',
    'app.css',
    'app.js',
  ]);
  expect(script).not.toMatch(/\beval\(|new Function\(/);
  expect(script).not.toMatch(/["'`]\/api\//);
});
