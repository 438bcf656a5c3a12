/** Where a question reaches every network of this machine. */
import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { broadcastAddresses } from '../../../src/checks/findhost/client.ts';

const ipv4 = (address: string, netmask: string, internal = false): NetworkInterfaceInfo => ({
  ...{ address, netmask, internal, family: 'IPv4', mac: '52:54:00:00:00:01', cidr: null },
});
const ipv6: NetworkInterfaceInfo = {
  ...{ address: 'fe80::1', netmask: 'ffff:ffff:ffff:ffff::', internal: false, family: 'IPv6' },
  ...{ mac: '52:54:00:00:00:01', cidr: null, scopeid: 2 },
};

test.each([
  ['a home network', [ipv4('192.168.1.5', '255.255.255.0')], ['192.168.1.255']],
  ['a large one', [ipv4('172.16.9.1', '255.240.0.0')], ['172.31.255.255']],
  ['a small one', [ipv4('10.0.0.130', '255.255.255.192')], ['10.0.0.191']],
  [
    'two addresses of one network',
    [ipv4('10.0.0.1', '255.255.255.0'), ipv4('10.0.0.2', '255.255.255.0')],
    ['10.0.0.255'],
  ],
  ['the machine itself', [ipv4('127.0.0.1', '255.0.0.0', true)], []],
  ['a point-to-point link', [ipv4('10.8.0.1', '255.255.255.255'), ipv4('10.8.1.0', '255.255.255.254')], []],
  ['IPv6', [ipv6], []],
  ['nothing', [], []],
])('%s', (_, addresses, expected) => {
  expect(broadcastAddresses({ lo: [], eth0: addresses })).toEqual([...expected, '255.255.255.255']);
});

test('several interfaces', () => {
  const interfaces = { eth0: [ipv6, ipv4('10.0.0.1', '255.0.0.0')], br0: [ipv4('192.168.7.1', '255.255.255.0')] };
  expect(broadcastAddresses(interfaces)).toEqual(['10.255.255.255', '192.168.7.255', '255.255.255.255']);
});

test('of this machine, whatever it has', () => {
  expect(broadcastAddresses()).toContain('255.255.255.255');
});
