import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the scripts that make documentation share. */

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

export const code = (text: string) => `\`${text}\``;

/** The page with each part between `<!-- made: NAME -->` and `<!-- end -->` as it is made now. */
export function fillIn(page: string, parts: Readonly<Record<string, () => string>>): string {
  const left = new Set(Object.keys(parts));
  const text = page.replaceAll(/(<!-- made: ([\w-]+) -->).*?(<!-- end -->)/gs, (_, begin, name: string, end) => {
    const make = left.delete(name) ? parts[name] : undefined;
    if (!make) throw new Error(`there is no part ${name}, or it is there twice`);
    return `${begin}\n\n${make()}\n\n${end}`;
  });
  if (left.size > 0) throw new Error(`the page has no part ${[...left].join(', ')}`);
  return text;
}

/** With `--write` the file gets the text, else the exit code says whether it has it. */
export function keep(file: URL, text: string, script: string): void {
  const path = relative(process.cwd(), fileURLToPath(file));
  if (process.argv.includes('--write')) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${path} is not current: run \`node ${relative(process.cwd(), script)} --write\``);
    process.exitCode = 1;
  }
}
