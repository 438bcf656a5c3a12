import { expect, test } from 'vitest';
import { faults, placeholder, readdressed } from '../scripts/origin.ts';

const there = 'Example-Org/nas.bridge';
const page = (repository: string, image: string, site: string) => `
[source](https://github.com/${repository}/blob/main/README.md), git+https://github.com/${repository}.git
docker pull ghcr.io/${image}:1.2.3, ghcr.io/${image}-app and https://${site}/docs. It is github.com/${repository}.
gh attestation verify oci://ghcr.io/${image}:latest --repo ${repository}
https://my.home-assistant.io/redirect/x/?repository_url=https%3A%2F%2Fgithub.com%2F${repository.replace('/', '%2F')}
`;
// Not as text: scripts/set-origin would write it, too.
const unset = page(placeholder, placeholder, placeholder.replace('/', '.github.io/'));
const set = page(there, 'example-org/nas.bridge', 'example-org.github.io/nas.bridge');

test('every form of the address is written, an image’s without capitals', () => {
  expect(readdressed(unset, placeholder, there)).toBe(set);
  expect(readdressed(unset, placeholder, there)).not.toContain('unset');
});

test('it is taken out again, and nothing is left', () => {
  expect(readdressed(set, there, placeholder)).toBe(unset);
});

test.each(['https://github.com/Example-Org/nas.bridge-cli', 'https://github.com/Example-Org/nas.bridges'])(
  'another repository keeps its address: %s',
  other => expect(readdressed(other, there, placeholder)).toBe(other),
);

test('a placeholder that is left is a fault, once an address is set', () => {
  const line = `maintainer: ${placeholder.split('/')[0]}`;
  expect(faults('a.yaml', `\n${line}`, placeholder)).toEqual([]);
  expect(faults('a.yaml', `\n${line}`, there)).toEqual([expect.stringMatching(/^a\.yaml:2: the placeholder is left/)]);
});

test('a link to a file that is not in the repository is a fault', () => {
  const links = (path: string) => `https://github.com/${there}/blob/main/${path}#part`;
  expect(faults('a.md', links('README.md'), there)).toEqual([]);
  expect(faults('a.md', links('docs/no-page.md'), there)).toEqual([expect.stringContaining('docs/no-page.md')]);
  const within = `?url=${encodeURIComponent(links('no.yaml'))}`;
  expect(faults('a.md', within, there)).toEqual([expect.stringContaining('no.yaml')]);
});
