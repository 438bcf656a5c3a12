import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { defineConfig } from 'vitepress';
import { slug } from '../../scripts/links.ts';
import { currentOrigin } from '../../scripts/origin.ts';
import { pageGroups, promises } from './readme.ts';
import { pointIntoRepository } from './repository-links.ts';

/** The documentation site: the pages of docs/ as they are, built by scripts/site.ts in the project's folder. */

const repository = `https://github.com/${currentOrigin()}`;
const readme = readFileSync('README.md', 'utf8');

export default defineConfig({
  title: 'dsm2mqtt',
  description: JSON.parse(readFileSync('package.json', 'utf8')).description,
  lang: 'en',
  base: `/${currentOrigin().split('/')[1]}/`,
  cleanUrls: true,
  // Two builds make the same bytes: the pages come one after the other, and none has a time.
  buildConcurrency: 1,
  lastUpdated: false,
  // Otherwise the theme's ids depend on where node_modules is.
  vue: { features: { componentIdGenerator: (path, source, _, hash) => hash(`${basename(path)}${source}`) } },
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  markdown: {
    anchor: { slugify: slug },
    // Of the first page's pictures only the one that fits is loaded.
    image: { lazyLoading: true },
    preConfig: md => pointIntoRepository(md, repository),
  },
  transformPageData(page) {
    if (page.relativePath === 'index.md') page.frontmatter['features'] = promises(readme);
    // A page without parts has no table of contents, and its text gets the room.
    page.frontmatter['aside'] = /^## /m.test(readFileSync(`docs/${page.filePath}`, 'utf8'));
  },
  themeConfig: {
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Install', link: '/install' },
      { text: 'GitHub', link: repository },
    ],
    sidebar: pageGroups(readme, repository),
    outline: [2, 3],
    search: { provider: 'local' },
    editLink: { pattern: `${repository}/edit/main/docs/:path`, text: 'Edit this page' },
    externalLinkIcon: true,
  },
});
