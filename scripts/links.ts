import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { currentOrigin, siteOf, workTree } from './origin.ts';

/**
 * Finds links in the pages that lead to no file or to no heading, and pages to which no link leads:
 * `node scripts/links.ts`. Ends with 1 and a line for each.
 * It knows Markdown as GitHub shows it, and the addresses of the site, also in files that are no pages.
 */

/** A page without what Markdown does not read: code, and comments. Lines stay lines. */
function prose(page: string): string {
  const blank = (text: string) => text.replaceAll(/[^\n]/g, ' ');
  return page
    .replaceAll(/^( *)(```+|~~~+).*?^\1\2/gms, blank)
    .replaceAll(/<!--.*?-->/gs, blank)
    .replaceAll(/(`+)[^`\n](?:.*?[^`])??\1(?!`)/g, blank);
}

/** The fragment that leads to a heading, from the text that a reader sees. It is GitHub's, and the site's. */
export function slug(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
    .replaceAll(' ', '-');
}

/** Every fragment that a page has. */
export function anchors(page: string): Set<string> {
  const found = new Set<string>();
  const hidden = page.replaceAll(/^( *)(```+|~~~+).*?^\1\2/gms, '').replaceAll(/<!--.*?-->/gs, '');
  for (const [, text = ''] of hidden.matchAll(/^#{1,6} +(.*?)(?: +#+)?$/gm)) {
    const base = slug(text.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/<[^>]*>/g, ''));
    let id = base;
    for (let nth = 1; found.has(id); nth += 1) id = `${base}-${nth}`;
    found.add(id);
  }
  for (const [, id = ''] of hidden.matchAll(/\b(?:id|name)="([^"]+)"/g)) found.add(id);
  return found;
}

/** What a page links to, with the number of its line: Markdown's links and pictures, and HTML's. */
function* linksOf(page: string): Generator<{ line: number; target: string }> {
  const pattern =
    /\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|^ {0,3}\[[^\]]+\]: +<?(\S+?)>?$|\b(?:href|src|srcset)="([^"\s]+)"/gm;
  const text = prose(page);
  for (const { 1: inline, 2: reference, 3: html, index } of text.matchAll(pattern))
    yield { line: text.slice(0, index).split('\n').length, target: inline ?? reference ?? html ?? '' };
}

/** What is wrong with the links of one page, a line for each. `read` gives a file's text, or null where there is none; a folder's is empty. */
export function faults(file: string, page: string, read: (path: string) => string | null): string[] {
  return [...linksOf(page)].flatMap(({ line, target }) => {
    if (/^[a-z][a-z\d+.-]*:/i.test(target)) return [];
    const [path = '', fragment] = decodeURI(target).split('#');
    const there = path === '' ? file : normalize(path.startsWith('/') ? path.slice(1) : join(dirname(file), path));
    const why = fault(there, fragment, read);
    return why === null ? [] : [`${file}:${line}: ${target} leads to ${why}`];
  });
}

/** The same for the addresses of the site that a text of any kind has. `site` is its address, with a slash at its end. */
export function siteFaults(file: string, text: string, site: string, read: (path: string) => string | null): string[] {
  const pattern = new RegExp(`${RegExp.escape(site)}([\\w./-]*[\\w/-])?(?:#([\\w-]+))?`, 'g');
  return text.split('\n').flatMap((line, at) =>
    [...line.matchAll(pattern)].flatMap(([address, path = '', fragment]) => {
      const page = path === '' || path.endsWith('/') ? `${path}index` : path.replace(/\.html$/, '');
      const why = fault(`docs/${page}.md`, fragment, read);
      return why === null ? [] : [`${file}:${at + 1}: ${address} leads to ${why}`];
    }),
  );
}

function fault(path: string, fragment: string | undefined, read: (path: string) => string | null): string | null {
  const text = read(path);
  if (text === null) return `${path}, which is not there`;
  if (fragment === undefined || !path.endsWith('.md') || anchors(text).has(fragment)) return null;
  return `#${fragment}, which ${path} does not have`;
}

/** Pages of docs/ that the README does not lead to: the site would not list them. */
export function unlisted(pages: readonly string[], readme: string): string[] {
  return pages
    .filter(page => page !== 'docs/index.md' && !readme.includes(`](${page})`))
    .map(page => `README.md does not lead to ${page}`);
}

export const siteAddress = (origin: string) => `https://${siteOf(origin)}/`;

function read(path: string): string | null {
  if (!existsSync(path)) return null;
  return statSync(path).isDirectory() ? '' : readFileSync(path, 'utf8');
}

function main(): void {
  const texts = workTree().filter(file => /(\.(md|ya?ml|json|xml|ts|sh|service)|file)$/.test(file));
  const site = siteAddress(currentOrigin());
  const found = texts.flatMap(file => {
    const text = readFileSync(file, 'utf8');
    return [...(file.endsWith('.md') ? faults(file, text, read) : []), ...siteFaults(file, text, site, read)];
  });
  const pages = texts.filter(file => /^docs\/[\w-]+\.md$/.test(file));
  found.push(...unlisted(pages, readFileSync('README.md', 'utf8')));
  for (const line of found) console.error(line);
  process.exitCode = found.length > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) main();
