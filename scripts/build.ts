/** `npm run build`: makes dist/, which needs no npm package where it runs, and the licences of those that are in it. */
import { existsSync } from 'node:fs';
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { input } from '../src/config/json-schema.ts';

/** The command line, and what starts Home Assistant's app, by their names in dist/. */
const entries = { 'cli/program': 'src/cli/program.ts', 'start/main': 'addon/start/main.ts' };

/** Node takes 40 ms and 8 MiB to load these; a start needs none of them, and most bridges never use TLS. */
const late = ['tls', 'https', 'zlib', 'assert', 'child_process'];

/** An optional package that is not in the bundle must not be found elsewhere on the machine. */
const forCommonJs = `
const __filename = import.meta.filename, __dirname = import.meta.dirname;
const late = (name, key) => {
 const it = () => key ? process.getBuiltinModule(name)[key] : process.getBuiltinModule(name);
 return new Proxy(function () {}, {
  get: (_, word) => word === '__esModule' ? undefined : it()[word],
  apply: (_, self, args) => it()(...args),
  construct: (_, args) => new (it())(...args) }); };
const require = name => ${JSON.stringify(late)}.includes(name) ? late(name) :
 process.getBuiltinModule(name) ?? (() => { throw Error('no ' + name) })();
`.replaceAll(/\n/g, '');

const common: BuildOptions = {
  bundle: true,
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
  logLevel: 'warning',
};

/**
 * Node's own modules, each name only where it is used. An `import` would read every name, and with some Node loads much
 * that nobody needs: undici with `node:http`.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z:/_]+$/, namespace: 'file' }, ({ path, kind }) =>
      isBuiltin(path) && kind === 'import-statement' ? { path, namespace: 'builtin', sideEffects: false } : null,
    );
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter(name =>
        /^(?!default$)[a-z]\w*$/i.test(name),
      );
      const load = `process.getBuiltinModule('${path}')`;
      if (late.includes(path.replace('node:', ''))) {
        return {
          contents: [
            `export default late('${path}');`,
            ...names.map(name => `export const ${name} = /* @__PURE__ */ late('${path}', '${name}');`),
          ].join('\n'),
        };
      }
      const exports = names.map(
        name => `const _${name} = /* @__PURE__ */ get('${name}'); export { _${name} as ${name} };`,
      );
      const head = `const all = ${load}; const get = name => all[name]; export default all;`;
      return { contents: [head, ...exports].join('\n') };
    });
  },
};

/** What a build can calculate need not be calculated at each start. */
const calculated: Plugin = {
  name: 'calculated',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/src\/config\/json-schema\.ts$/ }, () => ({
      contents: `export const input = ${JSON.stringify(input)};`,
    })),
};

/**
 * Bundles the entries into a folder. Code that is loaded later, or shared, is in files of their own. Returns the
 * folders of the npm packages that are in it.
 */
export async function bundle(folder: string, entryPoints: Readonly<Record<string, string>>): Promise<string[]> {
  const { metafile } = await build({
    ...common,
    entryPoints: { ...entryPoints },
    outdir: folder,
    // As deep as `src/cli`: version.ts finds package.json.
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    format: 'esm',
    // Native accelerators, which are never installed.
    external: ['*.node', 'cpu-features'],
    banner: { js: forCommonJs },
    plugins: [builtins, calculated],
    metafile: true,
  });
  return packagesIn(metafile);
}

/** Builds the page into a folder: `index.html`, `app.js`, `app.css`. Returns the folders of the npm packages in it. */
export async function bundlePage(folder: string): Promise<string[]> {
  const { metafile } = await build({
    bundle: true,
    entryPoints: ['main.tsx', 'app.css'].map(name => ({ in: `web/${name}`, out: 'app' })),
    outdir: folder,
    format: 'esm',
    target: ['es2022', 'chrome111', 'firefox114', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none',
    preserveSymlinks: true,
    logLevel: 'warning',
    metafile: true,
  });
  await copyFile('web/index.html', join(folder, 'index.html'));
  return packagesIn(metafile);
}

function packagesIn({ inputs }: Metafile): string[] {
  const packages = Object.keys(inputs).map(
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

/** One file of its own, in CommonJS: a health check needs no other, and Node starts it with the least. */
async function bundleStart(): Promise<void> {
  await build({
    ...common,
    entryPoints: ['src/cli/index.ts'],
    outfile: 'dist/cli/index.cjs',
    format: 'cjs',
    define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
    plugins: [
      {
        name: 'the rest is loaded from the bundle',
        setup: ({ onResolve }) =>
          onResolve({ filter: /\/program\.ts$/ }, () => ({ path: './program.js', external: true })),
      },
    ],
  });
}

/** A single other character, and V8 keeps the file with two bytes for each. esbuild escapes all but those of patterns. */
async function demandAscii(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const text = /\.c?js$/.test(name) ? await readFile(join(folder, name), 'latin1') : '';
    const at = text.search(/[\u0080-\u00ff]/);
    if (at >= 0) throw new Error(`${name} is not ASCII: ${text.slice(Math.max(0, at - 60), at)}`);
  }
}

if (import.meta.main) {
  await rm('dist', { recursive: true, force: true });
  const present = Object.entries(entries).filter(([, source]) => existsSync(source));
  await bundleStart();
  const packages = await bundle('dist', Object.fromEntries(present));
  await demandAscii('dist');
  packages.push(...(await bundlePage('dist/web')));
  await writeFile('dist/licenses.txt', await licences(packages));
}
