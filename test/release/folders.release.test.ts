/** What a release has of the app and the site: what the tests of the app start, and a site whose links lead somewhere. */
import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { currentOrigin } from '../../scripts/origin.ts';
import { deadLinks } from '../../scripts/site.ts';
import { artefact } from './artefacts.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'folders-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('the app is the folder from which the tests build its image', async () => {
  await run('tar', ['-xzf', artefact('dsm2mqtt-*-app.tar.gz'), '-C', folder]);
  const built = join(folder, 'built');
  await run('scripts/addon', [built]);
  const { stdout } = await run('diff', ['--recursive', join(folder, 'dsm2mqtt'), built]).catch(error => error);
  expect(stdout).toBe('');
});

test('the site has every page, and no dead link', async () => {
  const site = join(folder, 'site');
  await mkdir(site);
  await run('tar', ['-xzf', artefact('dsm2mqtt-*-site.tar.gz'), '-C', site]);
  const names = globSync('*.html', { cwd: site });
  const pages = new Map(
    await Promise.all(names.map(async name => [name, await readFile(join(site, name), 'utf8')] as const)),
  );
  expect(globSync('docs/*.md').filter(page => !pages.has(page.replace(/^docs\/(.*)\.md$/, '$1.html')))).toEqual([]);
  expect(deadLinks(pages, `/${currentOrigin().split('/')[1]}/`, path => existsSync(join(site, path)))).toEqual([]);
});
