/** The kind of a VM's guest, and what goes with it. */
import { expect, test } from 'vitest';
import { complaints, load, problemsOf } from './harness.ts';

const broker = 'mqtt: { url: mqtt://b }';
const vm = (more: string) => `${broker}\nvms: [{ domain: D, ${more} }]`;

test('DSM unless it is said; any other guest has no ports by itself', async () => {
  const [dsm] = (await load(`${broker}\nvms: [{ domain: D }]`)).vms;
  expect([dsm?.guest, dsm?.checks.ports]).toEqual(['dsm', [5_000, 5_001, 445]]);
  const [other] = (await load(vm('guest: other'))).vms;
  expect([other?.guest, other?.checks]).toMatchObject(['other', { ports: [], http: [], ssh: null, agent: false }]);
});

test('its checks, with their defaults', async () => {
  const http = '[{}, { tls: true, host: shop.lan, path: "/a?b=c", status: 302 }, { port: 8080 }]';
  const [other] = (await load(vm(`guest: other, checks: { http: ${http}, ssh: 22, agent: true }`))).vms;
  const page = { port: 80, tls: false, host: null, path: '/', status: 200 };
  expect(other?.checks).toMatchObject({
    ...{ ssh: 22, agent: true },
    http: [page, { port: 443, tls: true, host: 'shop.lan', path: '/a?b=c', status: 302 }, { ...page, port: 8_080 }],
  });
});

test.each([
  ['guest: other, loader: { model: DS918+, platform: ds918p-7.1.1-42962 }', 'loader', 'dsm', 'other'],
  ['guest: other, commands: [start, rebuild]', 'commands[1]', 'dsm', 'other'],
  ['guest: other, commands: [rollback]', 'commands[0]', 'dsm', 'other'],
  ['checks: { http: [{ port: 80 }] }', 'checks.http', 'other', 'dsm'],
  ['checks: { ssh: 22 }', 'checks.ssh', 'other', 'dsm'],
  ['checks: { agent: true }', 'checks.agent', 'other', 'dsm'],
])('%s is for another guest', async (keys, path, kind, guest) => {
  const [problem, ...more] = await problemsOf(load(vm(keys)));
  expect(problem).toMatchObject({
    path: `vms[0].${path}`,
    message: `is only for \`guest: ${kind}\`, and this one is ${guest}`,
    hint: `leave it out, or write \`guest: ${kind}\``,
  });
  expect(more).toEqual([]);
});

test.each([
  ['guest: windows', 'guest: expected one of dsm, other, found `windows`'],
  ['guest: other, checks: { http: [{ host: 10.0.0.1 }] }', 'checks.http[0].host: expected a host name in ASCII'],
  ['guest: other, checks: { http: [{ host: bücher.lan }] }', 'checks.http[0].host: expected a host name in ASCII'],
  ['guest: other, checks: { http: [{ path: health }] }', 'checks.http[0].path: expected the path of a page'],
  ['guest: other, checks: { http: [{ path: "/a b" }] }', 'checks.http[0].path: expected the path of a page'],
  ['guest: other, checks: { http: [{ status: 99 }] }', 'checks.http[0].status: must be between 100 and 599'],
  ['guest: other, checks: { ssh: true }', 'checks.ssh: expected a whole number, found true or false'],
])('%s is refused', async (keys, message) => {
  expect((await complaints(vm(keys))).map(line => line.replace(/^\S+ vms\[0\]\./, ''))).toEqual([message]);
});
