import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { broadcastAddresses, isInside, othersIn, ownNetworks } from '../../../src/checks/host/networks.ts';

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

test.each([
  ['a home network', [v4('192.168.1.5', '255.255.255.0')], ['192.168.1.255']],
  ['a large one', [v4('172.16.9.1', '255.240.0.0')], ['172.31.255.255']],
  ['a small one', [v4('10.0.0.130', '255.255.255.192')], ['10.0.0.191']],
  ['two addresses of one network', [v4('10.0.0.1', '255.255.255.0'), v4('10.0.0.2', '255.255.255.0')], ['10.0.0.255']],
  ['the machine itself', [v4('127.0.0.1', '255.0.0.0', true)], []],
  ['a point-to-point link', [v4('10.8.0.1', '255.255.255.255'), v4('10.8.1.0', '255.255.255.254')], []],
  ['IPv6', [v6], []],
  ['nothing', [], []],
])('where a datagram reaches everyone: %s', (_, addresses, expected) => {
  expect(broadcastAddresses({ lo: [], eth0: addresses })).toEqual([...expected, '255.255.255.255']);
});

test('where it does with several interfaces', () => {
  const interfaces = { eth0: [v6, v4('10.0.0.1', '255.0.0.0')], br0: [v4('192.168.7.1', '255.255.255.0')] };
  expect(broadcastAddresses(interfaces)).toEqual(['10.255.255.255', '192.168.7.255', '255.255.255.255']);
});

test.each([
  ['10.99.0.2', '255.255.255.252', ['10.99.0.1']],
  [
    '192.168.7.130',
    '255.255.255.248',
    ['192.168.7.129', '192.168.7.131', '192.168.7.132', '192.168.7.133', '192.168.7.134'],
  ],
  ['10.8.0.1', '255.255.255.255', []],
  ['10.99.0.1', '255.255.254.0', []],
])('the others in the network of %s/%s', (address, netmask, others) => {
  expect(othersIn({ device: 'br0', address, netmask })).toEqual(others);
});
