import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { workTree } from '../../scripts/origin.ts';

const { version } = manifest;
const files = workTree();
const workflows = files.filter(file => /^\.github\/workflows\/.*\.yml$/.test(file));
const json = async (file: string) => JSON.parse(await readFile(file, 'utf8'));

test('what must contain the version has that of package.json', async () => {
  const lock = await json('package-lock.json');
  expect(lock.version).toBe(version);
  expect(lock.packages[''].version).toBe(version);
  expect(parse(await readFile('addon/config.yaml', 'utf8')).version).toBe(version);
  expect(await json('.release-please-manifest.json')).toEqual({ '.': version });
});

test('nothing else contains it', async () => {
  const exempt = ['package.json', 'package-lock.json', '.release-please-manifest.json', 'addon/config.yaml'];
  const others = files.filter(
    file =>
      !(exempt.includes(file) || /(^|\/)(CHANGELOG\.md|package-lock\.json)$|^test\/|\.(png|svg|lock)$/.test(file)),
  );
  const whole = new RegExp(`(?<![\\d.])${RegExp.escape(version)}(?![\\d.]*\\d)`);
  const found = await Promise.all(others.map(async file => whole.test(await readFile(file, 'utf8'))));
  expect(others.filter((_, at) => found[at])).toEqual([]);
});

test('release-please writes it where it stands', async () => {
  const { packages } = await json('release-please-config.json');
  const extra = packages['.']['extra-files'] as { path: string }[];
  expect(extra.map(({ path }) => path)).toEqual(['addon/config.yaml']);
  const block = /# x-release-please-start-version\nversion: (.*)\n# x-release-please-end\n/;
  expect(block.exec(await readFile('addon/config.yaml', 'utf8'))?.[1]).toBe(version);
});

test('CHANGELOG.md has a section for it', async () => {
  const notes = execFileSync('bash', ['scripts/release-notes', version], { encoding: 'utf8' });
  expect(notes).toMatch(/\n[-*] /);
  // release-please puts a new section before the first heading of this form.
  expect(await readFile('CHANGELOG.md', 'utf8')).toMatch(/^# Changelog\n\n[^#]*\n## \[?\d/);
});

test.each(workflows)('%s: every action is pinned by its commit and named by its release', async file => {
  const uses = (await readFile(file, 'utf8')).split('\n').filter(line => /\buses:/.test(line));
  for (const line of uses) expect(line).toMatch(/uses: [\w-]+\/[\w/-]+@[\da-f]{40} # v\d+\.\d+\.\d+$/);
});

test('one action has one commit everywhere', async () => {
  const texts = await Promise.all(workflows.map(file => readFile(file, 'utf8')));
  const pins = new Map<string, Set<string>>();
  for (const [, action = '', pin = ''] of texts.join('\n').matchAll(/uses: ([^@]+)@(.*)/g))
    pins.set(action, (pins.get(action) ?? new Set()).add(pin));
  for (const [action, { size }] of pins) expect(size, action).toBe(1);
});

test.each(workflows)('%s: every file that it names is there', async file => {
  const text = await readFile(file, 'utf8');
  const named = [...text.matchAll(/(?<![\w./$}-])((?:scripts|docs|addon|\.github)\/[\w./-]*\w)/g)].map(
    ([, path = '']) => path.replace(/\/node_modules\/.*/, ''),
  );
  expect(named.filter(path => !existsSync(path))).toEqual([]);
  const started = [...text.matchAll(/gh workflow run (\S+)/g)].map(([, name = '']) => join('.github/workflows', name));
  expect(started.filter(path => !existsSync(path))).toEqual([]);
});

test('checks.yml runs every section of scripts/test', async () => {
  const sections = execFileSync(process.execPath, ['scripts/test.ts', '--list'], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const { jobs } = parse(await readFile('.github/workflows/checks.yml', 'utf8'));
  const named = jobs.section.strategy.matrix.section as string[];
  expect(named.filter(part => !sections.some(name => name.includes(part)))).toEqual([]);
  // Its job `fast` does the first three; the lab's roots and the release are needed by others.
  const elsewhere = [
    'types, lint, dead code, fast tests',
    'build',
    'what was built starts',
    'a release, twice the same',
  ];
  const missing = sections.filter(
    name =>
      !(named.some(part => name.includes(part)) || elsewhere.includes(name) || name.startsWith("the lab's Debian")),
  );
  expect(missing).toEqual([]);
});

test('release.yml asks for artefacts that scripts/release knows', async () => {
  const workflow = await readFile('.github/workflows/release.yml', 'utf8');
  const [, names = ''] = /scripts\/release --only (\S+)/.exec(workflow) ?? [];
  const { stderr } = spawnSync(process.execPath, ['scripts/release.ts', '--only', '?'], { encoding: 'utf8' });
  const known = stderr.trim().replace(/^.*: /, '').split(', ');
  expect(known).toEqual(expect.arrayContaining(names.split(',')));
});

test('a run of release.yml may be repeated: its Pages artifact has another name each time', async () => {
  const { jobs } = parse(await readFile('.github/workflows/release.yml', 'utf8'));
  const withOf = (job: { steps: { uses?: string; with?: object }[] }, action: string) =>
    job.steps.find(({ uses }) => uses?.startsWith(action))?.with;
  const { site } = jobs.files.outputs ?? {};
  expect(site).toContain('github.run_attempt');
  expect(withOf(jobs.files, 'actions/upload-pages-artifact@')).toMatchObject({ name: site });
  expect(withOf(jobs.site, 'actions/deploy-pages@')).toEqual({
    artifact_name: expect.stringContaining('needs.files.outputs.site'),
  });
  expect(jobs.site.needs).toContain('files');
});
