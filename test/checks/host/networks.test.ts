import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { isInside, ownNetworks } from '../../../src/checks/host/networks.ts';

const v4 = (address: string, netmask: string, internal = false): NetworkInterfaceInfo => ({
  address,
  netmask,
  internal,
  family: 'IPv4',
  mac: '00:00:00:00:00:00',
  cidr: null,
});
const v6: NetworkInterfaceInfo = {
  ...v4('fe80::1', 'ffff:ffff:ffff:ffff::'),
  family: 'IPv6',
  scopeid: 2,
};

test('IPv4, of every device but loopback', () => {
  const interfaces = {
    lo: [v4('127.0.0.1', '255.0.0.0', true)],
    br0: [v4('10.99.0.1', '255.255.255.0'), v6, v4('192.168.7.1', '255.255.0.0')],
    gone: undefined,
  };
  expect(ownNetworks(interfaces)).toEqual([
    { device: 'br0', address: '10.99.0.1', netmask: '255.255.255.0' },
    { device: 'br0', address: '192.168.7.1', netmask: '255.255.0.0' },
  ]);
});

test.each([
  ['10.99.0.1', '255.255.255.0', '10.99.0.254', true],
  ['10.99.0.1', '255.255.255.0', '10.99.1.20', false],
  ['192.168.7.1', '255.255.255.128', '192.168.7.128', false],
  ['200.1.2.3', '255.0.0.0', '200.255.255.255', true],
  ['10.8.0.1', '255.255.255.255', '10.8.0.1', true],
  ['10.8.0.1', '255.255.255.255', '10.8.0.2', false],
  ['10.8.0.1', '0.0.0.0', '1.2.3.4', true],
  ['10.99.0.1', '255.255.255.0', 'dsm.lan', false],
  ['10.99.0.1', '255.255.255.0', '::ffff:10.99.0.20', false],
])('%s/%s: %s is inside: %s', (address, netmask, candidate, inside) => {
  expect(isInside({ device: 'br0', address, netmask }, candidate)).toBe(inside);
});
