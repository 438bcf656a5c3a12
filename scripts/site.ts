import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from './artefacts/artefact.ts';
import { currentOrigin } from './origin.ts';

/**
 * Builds the documentation site and checks every link in it: `node scripts/site.ts [FOLDER]`. Without a folder it only
 * checks. `docs/.vitepress/` says what the site looks like.
 */

/** Any server. */
const here = 'http://site.invalid';

/** Builds the site from the project in `source` into the folder `out`, and rejects if a link in it is dead. */
export async function buildSite(source: string, out: string, origin: string): Promise<void> {
  await run('node_modules/.bin/vitepress', ['build', 'docs', '--outDir', out], { cwd: source });
  const pages = new Map(globSync('*.html', { cwd: out }).map(name => [name, readFileSync(join(out, name), 'utf8')]));
  const dead = deadLinks(pages, `/${origin.split('/')[1]}/`, path => existsSync(join(out, path)));
  if (dead.length > 0) throw new Error(`the site has dead links:\n${dead.join('\n')}`);
}

/**
 * Links of the site's pages, by their file names, that lead to no file or no fragment of the site. `base` is the path
 * at which it is served. Links to other sites are not followed, and nothing may be loaded from them.
 */
export function deadLinks(pages: ReadonlyMap<string, string>, base: string, exists: (path: string) => boolean) {
  return [...pages].flatMap(([name, html]) =>
    [...html.matchAll(/\s(href|src)="([^"]*)"/g)].flatMap(([, kind, link = '']) => {
      const { origin, protocol, pathname, hash } = new URL(link.replaceAll('&amp;', '&'), `${here}${base}${name}`);
      if (protocol === 'data:') return [];
      if (origin !== here) return kind === 'src' ? [`${name}: ${link} is loaded from elsewhere`] : [];
      if (!pathname.startsWith(base)) return [`${name}: ${link} leads out of ${base}`];
      const file = fileOf(pathname.slice(base.length));
      const text = pages.get(file);
      if (text === undefined && !exists(file)) return [`${name}: ${link} leads to ${file}, which is not there`];
      if (hash === '' || text?.includes(` id="${decodeURIComponent(hash.slice(1))}"`)) return [];
      return [`${name}: ${link} leads to a heading that ${file} does not have`];
    }),
  );
}

/** As the server finds it: a page's address has no ending. */
function fileOf(path: string): string {
  if (path === '' || path.endsWith('/')) return `${path}index.html`;
  return /\.\w+$/.test(path) ? path : `${path}.html`;
}

async function main(folder: string | undefined): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'dsm2mqtt-site-'));
  try {
    await buildSite('.', folder === undefined ? join(scratch, 'site') : resolve(folder), currentOrigin());
  } finally {
    await rm(scratch, { recursive: true });
  }
}

if (process.argv[1] === import.meta.filename)
  main(process.argv[2]).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
