/** Home Assistant's app against the rules of its store, its Supervisor and its linter. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { logLevels } from '../../src/config/config.ts';
import { commandWords } from '../../src/model/commands.ts';
import { version } from '../../src/util/version.ts';
import {
  manifestSchema,
  optionFaults,
  optionPaths,
  repositorySchema,
  translationSchema,
  wordedPaths,
} from './app-rules.ts';

const run = promisify(execFile);
const at = (path: string) => new URL(`../../${path}`, import.meta.url);
const read = (path: string) => readFile(at(path), 'utf8');
const manifest = parse(await read('addon/config.yaml'));
const profile = fileURLToPath(at('addon/apparmor.txt'));

let folder: string;
beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'app-')), 'dsm2mqtt');
  await run(fileURLToPath(at('scripts/addon')), [folder]);
});
afterAll(() => rm(join(folder, '..'), { recursive: true }));

test('the manifest keeps to the Supervisor’s schema and to the linter’s rules', () => {
  expect(manifestSchema.safeParse(manifest).error).toBeUndefined();
  expect(optionFaults(manifest.schema, manifest.options)).toEqual([]);
});

test.each([
  ['watchdog', 'http://[HOST]:8099/health'],
  ['boot', 'auto'],
  ['arch', ['armv7']],
  ['map', ['addon_config:rw']],
  ['map', [{ type: 'config', read_only: true }]],
  ['image', 'ghcr.io/owner/{arch}-dsm2mqtt'],
  ['schema', { uri: 'text' }],
])('the rules refuse %s: %j', (key, value) => {
  expect(manifestSchema.safeParse({ ...manifest, [key]: value }).success).toBe(false);
});

test.each([
  [{ vms: [{ domain: 'DSM', commands: ['explode'] }] }, 'options.vms[0].commands[0]'],
  [{ vms: [{ commands: [] }] }, 'options.vms[0].domain is missing'],
  [{ libvirt: { ...manifest.options.libvirt, host_key: 'MD5:ab' } }, 'options.libvirt.host_key'],
  [{ more: 1 }, 'options.more is not in the schema'],
])('the form refuses %j', (changes, fault) => {
  const faults = optionFaults(manifest.schema, { ...manifest.options, ...changes });
  expect(faults).toEqual([expect.stringContaining(fault)]);
});

test('it has the version of package.json, and asks for a Home Assistant that knows its discovery', () => {
  expect(manifest.version).toBe(version);
  expect(manifest.homeassistant).toBe('2025.10.0');
});

test('its form offers every command but those that need a loader, and every log level', () => {
  const words = /list\((.+)\)/.exec(manifest.schema.vms[0].commands[0])?.[1]?.split('|');
  const offered = commandWords.filter(word => !['arm', 'rebuild', 'rollback'].includes(word));
  expect(words?.toSorted()).toEqual(offered.toSorted());
  expect(manifest.schema.log_level).toBe(`list(${logLevels.join('|')})`);
});

test.each(['en', 'de'])('every option has words in %s', async language => {
  const { configuration } = translationSchema.parse(parse(await read(`addon/translations/${language}.yaml`)));
  expect(wordedPaths(configuration).toSorted()).toEqual(optionPaths(manifest.schema).toSorted());
});

test('the store finds one app in the repository, and logs one file that is none', async () => {
  // As supervisor/store/data.py looks: not in hidden folders, nor in `rootfs`.
  const files = execFileSync('git', ['ls-files'], { cwd: at('.'), encoding: 'utf8' }).split('\n');
  const found = files.filter(
    file => /(^|\/)config\.([^/]*\.)?(yaml|yml|json)$/.test(file) && !/(^|\/)(\.|rootfs\/)/.test(file),
  );
  // The Supervisor logs that it cannot read the second, and goes on. Its name is fixed.
  expect(found).toEqual(['addon/config.yaml', 'config.example.yaml']);
  expect(manifestSchema.safeParse(parse(await read('config.example.yaml'))).success).toBe(false);
  expect(repositorySchema.parse(parse(await read('repository.yaml')))).toMatchObject({ url: manifest.url });
});

test.each([
  ['icon', 128, 128],
  ['logo', 250, 100],
])('%s.png is %i x %i', async (name, width, height) => {
  const png = await readFile(at(`addon/${name}.png`));
  expect(png.toString('latin1', 1, 4)).toBe('PNG');
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([width, height]);
});

test('the store’s pages are there, and its changelog is the project’s', async () => {
  for (const page of ['README.md', 'DOCS.md']) expect(await read(`addon/${page}`)).toMatch(/^# dsm2mqtt\n/);
  expect(await read('addon/CHANGELOG.md')).toBe(await read('CHANGELOG.md'));
});

test('the page explains the options that need more than a line', async () => {
  const docs = await read('addon/DOCS.md');
  for (const name of ['uri', 'domain', 'address', 'host_key', 'config_file', 'read_only']) {
    expect(docs).toContain(`\`${name}\``);
  }
});

test('AppArmor’s profile has one name, the slug: the Supervisor puts its own there', async () => {
  const names = [...(await readFile(profile, 'utf8')).matchAll(/^profile ([^ ]+).*$/gm)].map(([, name]) => name);
  expect(names).toEqual([manifest.slug]);
});

const hasParser = spawnSync('apparmor_parser', ['--version']).status === 0;
test.skipIf(!hasParser)('AppArmor reads the profile', async () => {
  await run('apparmor_parser', ['--skip-kernel-load', '--skip-cache', profile]);
  const broken = join(folder, 'broken.txt');
  await writeFile(broken, (await readFile(profile, 'utf8')).replace('network inet stream', 'network inet steam'));
  await expect(run('apparmor_parser', ['--skip-kernel-load', '--skip-cache', broken])).rejects.toThrow();
  await rm(broken);
});

test('the folder for a build at home has what its Dockerfile copies and the store shows', async () => {
  const dockerfile = await readFile(join(folder, 'Dockerfile'), 'utf8');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '));
  expect(copied.length).toBeGreaterThan(8);
  const shown = [
    'README.md',
    'DOCS.md',
    'CHANGELOG.md',
    'icon.png',
    'logo.png',
    'apparmor.txt',
    'translations/de.yaml',
  ];
  for (const name of [...copied, ...shown]) await access(join(folder, name));
  const local = parse(await readFile(join(folder, 'config.yaml'), 'utf8'));
  const { image: _, ...all } = manifest;
  expect(local, 'with an image the Supervisor would not build').toEqual(all);
});

test('that folder is made where one is', async () => {
  const elsewhere = join(folder, '..');
  await run(fileURLToPath(at('scripts/addon')), ['docs'], { cwd: elsewhere });
  await access(join(elsewhere, 'docs/Dockerfile'));
  await expect(run(fileURLToPath(at('scripts/addon')), ['docs'], { cwd: elsewhere })).rejects.toThrow(
    /must not exist yet/,
  );
});

test('the image is labelled as an app of this version', async () => {
  const dockerfile = await readFile(join(folder, 'Dockerfile'), 'utf8');
  expect(dockerfile).toMatch(
    /^LABEL io\.hass\.type="app" io\.hass\.version="\$\{BUILD_VERSION\}" io\.hass\.arch="\$\{BUILD_ARCH\}"/m,
  );
  expect(dockerfile).toContain(`ARG BUILD_VERSION=${version}\n`);
  const processors = /^ARG BUILD_ARCH="(.+)"$/m.exec(dockerfile)?.[1]?.split('|');
  expect(processors).toEqual(manifest.arch);
});
