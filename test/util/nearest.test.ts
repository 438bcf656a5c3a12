import { expect, test } from 'vitest';
import { nearest } from '../../src/util/nearest.ts';

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
