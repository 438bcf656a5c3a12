import { expect, test } from 'vitest';
import { Door, type DoorOptions } from '../../src/servers/door.ts';

const token = 'a token that is long enough';
const asking = (headers: Record<string, string> = {}, from = '192.0.2.7') => ({
  from,
  header: (name: string) => headers[name] ?? '',
});
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
const door = (options: Partial<DoorOptions> = {}) =>
  new Door({ token: null, supervisor: null, port: 8098, ...options });

test('without a token, whoever asks for this machine by its own name', () => {
  const mine = door();
  for (const host of ['localhost', 'localhost:8098', '127.0.0.1:8098', '[::1]:8098', '127.1.2.3'])
    expect(mine.enter(asking({ host }))).toEqual({ name: 'page' });
  for (const host of ['', 'evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '192.0.2.7'])
    expect(mine.enter(asking({ host }))).toMatchObject({ status: 403 });
});

test('without a token, not through a proxy, and not for another site’s page', () => {
  const host = 'localhost:8098';
  for (const header of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'via'])
    expect(door().enter(asking({ host, [header]: '192.0.2.1' }))).toMatchObject({ status: 403 });
  expect(door().enter(asking({ host, 'sec-fetch-site': 'cross-site' }))).toMatchObject({ status: 403 });
  expect(door().enter(asking({ host, 'sec-fetch-site': 'none' }))).toEqual({ name: 'page' });
});

test('with a token, whoever sends it, or the cookie that a login gave', () => {
  const mine = door({ token });
  expect(mine.enter(asking(bearer(token)))).toEqual({ name: 'page' });
  expect(mine.enter(asking({ host: 'localhost' }))).toMatchObject({
    status: 401,
    message: 'this page needs its token',
  });
  const given = String(mine.login(token, '192.0.2.7'));
  expect(given).toMatch(/^dsm2mqtt-8098=[0-9a-f]{64}; HttpOnly; SameSite=Strict; /);
  expect(given).not.toContain(token);
  const cookie = `other=1; ${given.split(';')[0]}`;
  expect(mine.enter(asking({ cookie }))).toEqual({ name: 'page' });
  expect(door({ token, port: 8099 }).enter(asking({ cookie }))).toMatchObject({ status: 401 });
  expect(door({ token: `${token}2` }).enter(asking({ cookie }))).toMatchObject({ status: 401 });
});

test('five wrong ones close the door to an address for a minute, also to the right one', () => {
  let now = 0;
  const mine = door({ token, now: () => now });
  for (let i = 0; i < 4; i++) expect(mine.enter(asking(bearer(`wrong ${i}`)))).toMatchObject({ status: 401 });
  expect(mine.login('wrong 5', '192.0.2.7')).toMatchObject({ status: 401 });
  const closed = { status: 429, message: 'too many wrong tokens; wait 60 s', seconds: 60 };
  expect(mine.enter(asking(bearer(token)))).toEqual(closed);
  expect(mine.login(token, '192.0.2.7')).toEqual(closed);
  expect(mine.enter(asking(bearer(token), '192.0.2.8'))).toEqual({ name: 'page' });
  now = 60_000;
  expect(mine.enter(asking(bearer(token)))).toEqual({ name: 'page' });
});

test('the same wrong one again, as of a page that is still open, does not count; a right one begins anew', () => {
  const mine = door({ token });
  for (let i = 0; i < 20; i++) expect(mine.enter(asking(bearer('old')))).toMatchObject({ status: 401 });
  for (let i = 0; i < 20; i++) {
    expect(mine.enter(asking(bearer(`wrong ${i}`)))).toMatchObject({ status: 401 });
    expect(mine.enter(asking(bearer(token)))).toEqual({ name: 'page' });
  }
});

test('of ten thousand addresses only the latest are remembered', () => {
  const mine = door({ token });
  const wrong = (from: string, count: number) => {
    for (let i = 0; i < count; i++) mine.enter(asking(bearer(`${i}`), from));
  };
  wrong('first', 4);
  for (let i = 0; i < 10_000; i++) wrong(`address ${i}`, 1);
  wrong('first', 4);
  expect(mine.enter(asking(bearer(token), 'first'))).toEqual({ name: 'page' });
});

test('Home Assistant’s users come from its Supervisor, and have their names in the record', () => {
  const mine = door({ supervisor: '172.30.32.2' });
  const named = (user: string, from = '172.30.32.2') => mine.enter(asking({ 'x-remote-user-name': user }, from));
  expect(named('anna')).toEqual({ name: 'anna' });
  expect(named('anna', '::ffff:172.30.32.2')).toEqual({ name: 'anna' });
  expect(named('')).toEqual({ name: 'home_assistant' });
  // Node gives the bytes of a header as Latin-1.
  expect(named(Buffer.from('Anna Müller/"x"').toString('latin1'))).toEqual({ name: 'Anna_M_ller__x_' });
  for (const name of ['guest', 'page', 'cli', 'bridge']) expect(named(name)).toEqual({ name: `ha_${name}` });
  expect(named('x'.repeat(99))).toEqual({ name: 'x'.repeat(29) });
  expect(named('anna', '172.30.32.3')).toMatchObject({ status: 403 });
  // With a token as well, everybody else needs it.
  const both = door({ supervisor: '172.30.32.2', token });
  expect(both.enter(asking({ 'x-remote-user-name': 'anna' }))).toMatchObject({ status: 401 });
  expect(both.enter(asking({ ...bearer(token), 'x-remote-user-name': 'anna' }))).toEqual({ name: 'page' });
});

test.each([
  ['the page', { host: 'nas:1', origin: 'http://nas:1', 'sec-fetch-site': 'same-origin' }, true],
  ['a program', { host: 'nas:1' }, true],
  ['the page behind a proxy with another host', { origin: 'https://nas', 'sec-fetch-site': 'same-origin' }, true],
  ['another page', { host: 'nas:1', origin: 'http://evil.example' }, false],
  ['a sandboxed page', { host: 'nas:1', origin: 'null' }, false],
  ['another site, said by the browser', { host: 'nas:1', 'sec-fetch-site': 'cross-site' }, false],
  ['a form, which cannot have the header', { host: 'nas:1', 'x-dsm2mqtt': '' }, false],
])('what changes something comes from the page itself: %s', (_, headers, isAllowed) => {
  const refused = door().mayAct(asking({ 'x-dsm2mqtt': 'page', ...headers }));
  expect(refused === null).toBe(isAllowed);
});

test('below Home Assistant, the page’s origin is not the bridge’s', () => {
  const headers = { 'x-dsm2mqtt': 'page', host: '172.30.32.1:28098', origin: 'https://ha.example' };
  expect(door({ supervisor: '172.30.32.2' }).mayAct(asking(headers, '172.30.32.2'))).toBeNull();
});
