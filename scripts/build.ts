/** `npm run build`: makes dist/, which needs no npm package where it runs, and the licences of those that are in it. */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/** What starts the bridge, and what starts Home Assistant's app, by their names in dist/. */
const entries = { 'cli/index': 'src/cli/index.ts', 'start/main': 'addon/start/main.ts' };

/** An optional package that is not in the bundle must not be found elsewhere on the machine. */
const forCommonJs = `
const __filename = import.meta.filename, __dirname = import.meta.dirname;
const require = name => process.getBuiltinModule(name) ?? (() => { throw Error('no ' + name) })();
`.replaceAll(/\n/g, '');

/**
 * Bundles the entries into a folder. Code that is loaded later, or shared, is in files of their own. Returns the
 * folders of the npm packages that are in it.
 */
export async function bundle(folder: string, entryPoints: Readonly<Record<string, string>>): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: { ...entryPoints },
    outdir: folder,
    // As deep as `src/cli`: version.ts finds package.json.
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Names stay: the log has those of errors, and of functions in their traces.
    minifyWhitespace: true,
    minifySyntax: true,
    // Of an error that nothing catches, Node prints the whole line.
    lineLimit: 160,
    legalComments: 'none',
    sourcemap: true,
    sourcesContent: false,
    // Wherever node_modules really is, the maps say the same.
    preserveSymlinks: true,
    // Native accelerators, which are never installed.
    external: ['*.node', 'cpu-features'],
    banner: { js: forCommonJs },
    metafile: true,
    logLevel: 'warning',
  });
  const packages = Object.keys(metafile.inputs).map(
    path => /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path)?.[0],
  );
  return [...new Set(packages)].filter(path => path !== undefined).sort();
}

/** The text of every package's licence, or what its package.json says where it has none. */
async function licences(packages: readonly string[]): Promise<string> {
  const texts = packages.map(async path => {
    const { name, version, license, author } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8'));
    const file = (await readdir(path)).find(entry => /^(licen[cs]e|copying)/i.test(entry));
    const words = file ? await readFile(join(path, file), 'utf8') : `${license}, ${author?.name ?? author}`;
    return `${name} ${version}\n\n${words.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}

if (import.meta.main) {
  await rm('dist', { recursive: true, force: true });
  const present = Object.entries(entries).filter(([, source]) => existsSync(source));
  await writeFile('dist/licenses.txt', await licences(await bundle('dist', Object.fromEntries(present))));
}
