import { expect, test } from 'vitest';
import { anchors, faults, siteAddress, siteFaults, slug, unlisted } from '../../scripts/links.ts';
import { deadLinks } from '../../scripts/site.ts';

const files: Record<string, string> = {
  'README.md': '# Top',
  'docs/page.md': '# A page\n\n## `shutdown --direct`\n\n## Twice\n\n## Twice\n\n```\n## no heading\n```\n',
  'docs/index.md': '',
  src: '',
};
const read = (path: string) => files[path] ?? null;

test.each([
  ['`shutdown --direct`', 'shutdown---direct'],
  ['What MQTT 3.1.1 cannot tell', 'what-mqtt-311-cannot-tell'],
  ['Überlast_2 (alt)', 'überlast_2-alt'],
])('the fragment of the heading %s is %s', (heading, fragment) => expect(slug(heading)).toBe(fragment));

test('headings of one text are numbered, and code has none', () => {
  expect([...anchors(files['docs/page.md'] ?? '')]).toEqual(['a-page', 'shutdown---direct', 'twice', 'twice-1']);
});

test.each([
  '[up](../README.md#top)',
  '[here](page.md#twice-1)',
  '[folder](../src)',
  '[out](https://example.org/x#y)',
  '`[code](missing.md)`',
  '```\n[code](missing.md)\n```',
])('%j is no fault', link => expect(faults('docs/page.md', link, read)).toEqual([]));

test.each([
  ['[file](missing.md)', 'docs/missing.md'],
  ['![picture](images/missing.png)', 'docs/images/missing.png'],
  ['<img src="missing.png">', 'docs/missing.png'],
  ['[name]: missing.md', 'docs/missing.md'],
  ['[heading](#missing)', '#missing'],
  ['[heading](../README.md#missing)', '#missing'],
])('%s is a fault, with its line', (link, named) => {
  expect(faults('docs/page.md', `# A page\n\n${link}`, read)).toEqual([
    expect.stringMatching(new RegExp(`^docs/page\\.md:3: .*${RegExp.escape(named)}`)),
  ]);
});

test('an address of the site leads to a page and to a heading of it', () => {
  const site = siteAddress('Example/nas');
  expect(site).toBe('https://example.github.io/nas/');
  const check = (text: string) => siteFaults('a.yaml', text, site, read);
  expect(check(`see ${site}, ${site}page#twice or ${site}page.html.`)).toEqual([]);
  expect(check(`\n${site}missing`)).toEqual([expect.stringMatching(/^a\.yaml:2: .*docs\/missing\.md/)]);
  expect(check(`${site}page#missing`)).toEqual([expect.stringContaining('#missing')]);
});

test('the README leads to every page', () => {
  const pages = ['docs/index.md', 'docs/page.md', 'docs/other.md'];
  expect(unlisted(pages, '[Page](docs/page.md)')).toEqual([expect.stringContaining('docs/other.md')]);
});

test('the built site loads nothing from elsewhere', () => {
  const check = (source: string) => deadLinks(new Map([['page.html', `<img src="${source}">`]]), '/nas/', () => true);
  for (const source of ['/nas/a.png', 'data:image/png;base64,AA']) expect(check(source)).toEqual([]);
  expect(check('https://example.org/a.png')).toEqual([expect.stringContaining('https://example.org/a.png')]);
});

test('a link of the built site leads to a file below its path, and to an id', () => {
  const page = (link: string) => new Map([['page.html', `<h2 id="part"></h2><a href="${link}">`]]);
  const check = (link: string) => deadLinks(page(link), '/nas/', path => path === 'style.css');
  for (const link of ['/nas/page', './page#part', '#part', '/nas/style.css', 'https://example.org/x'])
    expect(check(link)).toEqual([]);
  for (const link of ['/page', '../page', './missing', '/nas/missing', '/nas/page#missing', '/nas/missing.css'])
    expect(check(link)).toEqual([expect.stringMatching(/^page\.html: /)]);
});
