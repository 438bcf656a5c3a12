import { existsSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { MarkdownRenderer } from 'vitepress';

/**
 * A page may link to any file of the repository. What is no page of the site is shown by github.com instead. A file
 * that is missing ends the build.
 */
export function pointIntoRepository(md: MarkdownRenderer, repository: string): void {
  md.core.ruler.push('point into the repository', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null;
      if (href !== null) token.attrSet('href', pointed(href, env.path, repository));
    }
  });
}

function pointed(href: string, page: string, repository: string): string {
  const [path = '', fragment] = href.split('#');
  if (path === '' || /^[a-z][a-z\d+.-]*:/i.test(path)) return href;
  const target = join(dirname(page), path);
  if (!existsSync(target)) throw new Error(`${page}: ${href} leads to no file`);
  const file = relative('.', target);
  if (/^docs\/[\w-]+\.md$/.test(file)) return href;
  const kind = statSync(target).isDirectory() ? 'tree' : 'blob';
  return `${repository}/${kind}/main/${file}${fragment === undefined ? '' : `#${fragment}`}`;
}
