import { expect, test } from 'vitest';
import { instead, nearest } from '../../src/util/did-you-mean.ts';

const keys = ['url', 'client_id', 'username', 'password', 'password_file', 'base_topic'];

test.each([
  ['usrename', 'username'],
  ['Url', 'url'],
  ['clientId', 'client_id'],
  ['client-id', 'client_id'],
  ['broker_url', 'url'],
  ['user', 'username'],
  ['topic', 'base_topic'],
  ['passwordfile', 'password_file'],
  ['keepalive', null],
  ['', null],
  ['q', null],
])('%j means %j', (word, meant) => {
  expect(nearest(word, keys)).toBe(meant);
});

test('names without a Latin letter are not all the same', () => {
  expect(nearest('диск', ['сервер'])).toBeNull();
  expect(nearest('сервр', ['сервер'])).toBe('сервер');
});

test('what there is instead is named, and only so much of it', () => {
  expect(instead('DMS', ['DSM', 'router'])).toBe("Did you mean 'DSM'? It has DSM, router.");
  expect(instead('DSM', [])).toBe('It has none.');
  const many = Array.from({ length: 12 }, (_, i) => `guest${i}`);
  expect(instead('DSM', many)).toMatch(/^It has guest0, .*guest9, and 2 more\.$/);
});
