import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * The address of the project's repository. package.json has it; every other file that names it follows.
 * `node scripts/origin.ts OWNER/REPO` writes it everywhere, `--unset` takes it out again, and without an argument it is
 * checked that all files agree and that every link into the repository leads to a file.
 */

/** Stands wherever the address will stand. It is valid in each place, and no account on GitHub can have its name. */
export const placeholder = 'unset--owner/dsm2mqtt';
const own = 'scripts/origin.ts';

/** The forms in which an address is written, the most special first. */
function forms(origin: string): string[] {
  const [owner = '', name = ''] = origin.split('/');
  return [
    // An image's name has no capitals.
    `ghcr.io/${origin.toLowerCase()}`,
    siteOf(origin),
    `github.com%2F${owner}%2F${name}`,
    `github.com/${origin}`,
    `raw.githubusercontent.com/${origin}`,
    // Of the gh command, which takes no host there.
    `--repo ${origin}`,
  ];
}

/** Where the documentation site is, without its protocol. */
export function siteOf(origin: string): string {
  const [owner = '', name = ''] = origin.split('/');
  return `${owner.toLowerCase()}.github.io/${name}`;
}

/** The text with one address in place of the other, in every form. */
export function readdressed(text: string, from: string, to: string): string {
  const after = forms(to);
  return forms(from).reduce((now, form, at) => now.replaceAll(bounded(form), after[at] ?? form), text);
}

/** Not as the begin of a longer name. */
function bounded(form: string): RegExp {
  return new RegExp(`${RegExp.escape(form)}(?![\\w]|-(?!app\\b)|\\.(?!git\\b)\\w)`, 'g');
}

/** What is wrong with a file, a line for each fault. */
export function faults(file: string, text: string, origin: string): string[] {
  return text.split('\n').flatMap((line, at) => {
    const left = origin !== placeholder && line.includes(placeholder.split('/')[0] ?? '');
    return [
      ...(left ? [`${file}:${at + 1}: the placeholder is left: run scripts/set-origin again`] : []),
      ...deadLinks(line, origin).map(path => `${file}:${at + 1}: a link leads to ${path}, which the repository lacks`),
    ];
  });
}

function deadLinks(line: string, origin: string): string[] {
  const link = new RegExp(
    `(?:github\\.com/${RegExp.escape(origin)}/(?:blob|tree|raw|edit)|raw\\.githubusercontent\\.com/${RegExp.escape(origin)})/main/([\\w./-]+)`,
    'g',
  );
  // A link to the importer of blueprints has another one in it.
  return [...line.replaceAll('%2F', '/').matchAll(link)].flatMap(([, path = '']) => (existsSync(path) ? [] : [path]));
}

/** Every file of the work tree that git does not ignore, so that one is checked before it is committed. */
export function workTree(): string[] {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard'];
  return execFileSync('git', list, { encoding: 'utf8' })
    .split('\n')
    .filter(file => file !== '' && existsSync(file));
}

/** Those in which the address may stand. */
function files(): string[] {
  return workTree().filter(file => file !== own && !/\.(png|svg|gz|bin|jsonl)$/.test(file));
}

export function currentOrigin(): string {
  const { repository } = JSON.parse(readFileSync('package.json', 'utf8'));
  const [, origin] = /github\.com\/([\w.-]+\/[\w.-]+?)(?:\.git)?$/.exec(repository.url) ?? [];
  if (!origin) throw new Error(`package.json: repository.url is ${repository.url}, and no address on github.com`);
  return origin;
}

function main(argument: string | undefined): void {
  const from = currentOrigin();
  if (argument === undefined) {
    const all = files().flatMap(file => faults(file, readFileSync(file, 'utf8'), from));
    for (const fault of all) console.error(fault);
    process.exitCode = all.length > 0 ? 1 : 0;
    return;
  }
  const to = argument === '--unset' ? placeholder : argument;
  if (!/^[A-Za-z\d][A-Za-z\d-]{0,38}\/[\w.-]{1,100}$/.test(to) && to !== placeholder) {
    console.error(`'${argument}' is no OWNER/REPO of github.com`);
    process.exitCode = 2;
    return;
  }
  for (const file of files()) {
    const text = readFileSync(file, 'utf8');
    const next = readdressed(text, from, to);
    if (next === text) continue;
    writeFileSync(file, next);
    console.log(file);
  }
}

if (process.argv[1] === import.meta.filename) main(process.argv[2]);
