import { expect, test } from 'vitest';
import type { GuestInterface } from '../../src/libvirt/structs.ts';
import { addressesOf } from '../../src/vm/agent.ts';
import { opened } from '../fakes/libvirtd/opened.ts';

const macs = ['52:54:00:d5:30:01', '52:54:00:d5:30:02'];
const options = { timeout: 5_000, readOnly: false };

async function running(readOnly = false) {
  const it = await opened({ readOnly });
  it.domain.start();
  it.domain.guest.agent = 'answers';
  return it;
}

function at(mac: string | null, ...addresses: string[]): GuestInterface {
  return {
    name: 'eth0',
    mac,
    addresses: addresses.map(address => ({ type: address.includes(':') ? 1 : 0, address, prefix: 24 })),
  };
}

test('the agent’s and the leases’, of its own NICs, IPv4, each once', async () => {
  await using it = await running();
  it.domain.guest.addresses.agent = [
    at('00:00:00:00:00:00', '127.0.0.1', '::1'),
    at('52:54:00:D5:30:01', '192.168.1.20', 'fe80::1', '169.254.7.7'),
    at('02:42:00:00:00:01', '172.17.0.1'),
    at(null, '10.9.9.9'),
  ];
  it.domain.guest.addresses.lease = [at(macs[0] ?? '', '192.168.1.20'), at(macs[1] ?? '', '192.168.122.9')];
  expect(await addressesOf(it.client, it.domain.ref, macs, options)).toEqual(['192.168.1.20', '192.168.122.9']);
});

test('an address that only looks like one is none', async () => {
  await using it = await running();
  it.domain.guest.addresses.agent = [at(macs[0] ?? '', '', 'x', '1.2.3', '1.2.3.400', '0.0.0.0', '10.0.0.1')];
  expect(await addressesOf(it.client, it.domain.ref, macs, options)).toEqual(['10.0.0.1']);
});

test('read-only, the agent is not asked', async () => {
  await using it = await running(true);
  it.domain.guest.addresses.lease = [at(macs[0] ?? '', '192.168.122.9')];
  const found = await addressesOf(it.client, it.domain.ref, macs, { ...options, readOnly: true });
  expect(found).toEqual(['192.168.122.9']);
  expect(it.daemon.callsOf('domainInterfaceAddresses').map(({ args }) => args.source)).toEqual([0]);
});

test.each(['none', 'silent'] as const)('an agent that is %s leaves the leases', async agent => {
  await using it = await running();
  it.domain.guest.agent = agent;
  it.domain.guest.addresses.lease = [at(macs[0] ?? '', '192.168.122.9')];
  expect(await addressesOf(it.client, it.domain.ref, macs, options)).toEqual(['192.168.122.9']);
});

test('nothing: of a guest that is off, of a daemon that says nothing, is gone, or is not there', async () => {
  await using it = await running();
  expect(await addressesOf(null, it.domain.ref, macs, options)).toEqual([]);
  it.domain.destroy();
  expect(await addressesOf(it.client, it.domain.ref, macs, options)).toEqual([]);
  using stuck = it.daemon.hang('domainInterfaceAddresses');
  expect(await addressesOf(it.client, it.domain.ref, macs, { ...options, timeout: 10 })).toEqual([]);
  stuck.release();
  await it.daemon.kill();
  expect(await addressesOf(it.client, it.domain.ref, macs, options)).toEqual([]);
});

test('told to stop, it stops', async () => {
  await using it = await running();
  using _stuck = it.daemon.hang('domainInterfaceAddresses');
  const controller = new AbortController();
  const asked = addressesOf(it.client, it.domain.ref, macs, { ...options, signal: controller.signal });
  const stopped = expect(asked).rejects.toThrow('stop');
  await it.daemon.called('domainInterfaceAddresses');
  controller.abort(new Error('stop'));
  await stopped;
});
