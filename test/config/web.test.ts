import { expect, test } from 'vitest';
import { pageUrl } from '../../src/config/web.ts';
import { load, minimal } from './harness.ts';

test.each([
  ['off', null],
  ['127.0.0.1:8098', null],
  ['localhost:8098', null],
  ['0.0.0.0:8098', null],
  ['192.168.1.5:8098', 'http://192.168.1.5:8098/'],
  ['nas-host.lan:8098', 'http://nas-host.lan:8098/'],
])('a page at %s: other machines find it at %s', async (listen, url) => {
  // Without a token, only the app may be reached by others.
  const { web } = await load(`${minimal}web: { listen: '${listen}', ingress: true }`);
  expect(pageUrl(web.listen)).toBe(url);
});
