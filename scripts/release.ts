/** `scripts/release`, once the npm packages are there: makes every artefact from an export of the commit. */
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { homeAssistantApp } from './artefacts/app.ts';
import { type Artefact, type Release, run } from './artefacts/artefact.ts';
import { dashboard } from './artefacts/dashboard.ts';
import { deb } from './artefacts/deb.ts';
import { image } from './artefacts/image.ts';
import { npm } from './artefacts/npm.ts';
import { site } from './artefacts/site.ts';
import { writeSums } from './artefacts/sums.ts';
import { currentOrigin, placeholder } from './origin.ts';

const artefacts: Readonly<Record<string, Artefact>> = { npm, image, deb, app: homeAssistantApp, dashboard, site };
/** What the bridge needs where it runs. */
const shipped = ['bin', 'dist', 'package.json', 'config.example.yaml', 'LICENSE', 'README.md'];

class UsageError extends Error {}

/** The lab says by this exit code that this machine cannot have it. */
const unable = ({ cause }: Error) => (cause as { code?: unknown } | undefined)?.code === 69;

async function main(): Promise<void> {
  // The modes of files get into archives and images: with another umask they were others, and nobody could read them.
  process.umask(0o022);
  const { values, positionals } = readArguments();
  const names = values.only?.split(',') ?? Object.keys(artefacts);
  const unknown = names.find(name => !Object.hasOwn(artefacts, name));
  if (unknown !== undefined) throw new UsageError(`there is no '${unknown}': ${Object.keys(artefacts).join(', ')}`);
  const { default: manifest } = await import('../package.json', { with: { type: 'json' } });
  const { version } = manifest;
  const out = resolve(positionals[0] ?? join('release', version));
  if (existsSync(out)) throw new UsageError(`${out} is there already: remove it, or name another folder`);
  const commit = values['dry-run'] ? await present() : await tagged(version);
  // Below the repository, so that the lab sees it.
  const cache = resolve('node_modules/.cache/dsm2mqtt');
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, 'release-'));
  try {
    const source = await exported(commit, scratch);
    const app = await installed(source, scratch);
    const epoch = Number(await git('show', '--no-patch', '--format=%ct', 'HEAD'));
    await mkdir(out, { recursive: true });
    const release: Release = { version, origin: currentOrigin(), epoch, source, app, out, scratch };
    for (const name of names) await make(artefacts[name] as Artefact, release);
    await writeSums(out);
    console.log(await run('sh', ['-c', 'cat SHA256SUMS && du -sh .'], { cwd: out }));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function readArguments() {
  try {
    return parseArgs({
      options: { 'dry-run': { type: 'boolean' }, only: { type: 'string' } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function make(artefact: Artefact, release: Release): Promise<void> {
  const began = performance.now();
  await artefact.make(release);
  console.log(`${artefact.name}: ${((performance.now() - began) / 1_000).toFixed(1)} s`);
}

/** The commit of the tree as it is: HEAD, or one that nobody sees, with the changes of files that git knows. */
async function present(): Promise<string> {
  const changed = (await git('stash', 'create')).trim();
  return changed === '' ? 'HEAD' : changed;
}

/** HEAD, if it may be released. */
async function tagged(version: string): Promise<string> {
  const changes = await git('status', '--porcelain');
  if (changes !== '') throw new UsageError(`the tree has changes that are not committed:\n${changes}`);
  const tags = (await git('tag', '--points-at', 'HEAD')).split('\n');
  if (!tags.includes(`v${version}`)) throw new UsageError(`HEAD is not v${version}; --dry-run does without a tag`);
  if (currentOrigin() === placeholder)
    throw new UsageError('the repository has no address yet: scripts/set-origin OWNER/REPO');
  return 'HEAD';
}

/** The commit's files in a folder of their own, with this machine's packages, and built. */
async function exported(commit: string, scratch: string): Promise<string> {
  const source = join(scratch, 'source');
  await mkdir(source);
  await run('sh', ['-c', 'git archive "$1" | tar -x -C "$2"', 'sh', commit, source]);
  await symlink(resolve('node_modules'), join(source, 'node_modules'));
  // This file and not the export's: below node_modules Node reads no TypeScript.
  await run(process.execPath, [resolve('scripts/build.ts')], { cwd: source });
  return source;
}

/** The product as it is installed: nothing in it depends on the processor. The npm packages are in dist. */
async function installed(source: string, scratch: string): Promise<string> {
  const app = join(scratch, 'app');
  await mkdir(app);
  for (const name of shipped) await cp(join(source, name), join(app, name), { recursive: true });
  await rm(join(app, 'dist/start'), { recursive: true });
  const {
    scripts: _s,
    dependencies: _d,
    devDependencies: _v,
    ...manifest
  } = JSON.parse(await readFile(join(app, 'package.json'), 'utf8'));
  await writeFile(join(app, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return app;
}

async function git(...args: string[]): Promise<string> {
  return await run('git', args);
}

main().catch((error: Error) => {
  console.error(`scripts/release: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : unable(error) ? 69 : 1;
});
