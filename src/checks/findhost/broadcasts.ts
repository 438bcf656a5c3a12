import { type Interfaces, ownInterfaces } from '../host/networks.ts';

/** Everyone on the network of the default route. */
const everyone = '255.255.255.255';

/** Where a question reaches everyone: the broadcast address of each IPv4 network of this machine, and the general one. */
export function broadcastAddresses(interfaces: Interfaces = ownInterfaces()): string[] {
  const own = Object.values(interfaces)
    .flatMap(addresses => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address, netmask }) => broadcastOf(address, netmask))
    .filter(address => address !== null);
  return [...new Set([...own, everyone])];
}

/** Null for networks of one or two addresses, which have none (RFC 3021). */
function broadcastOf(address: string, netmask: string): string | null {
  const mask = netmask.split('.').map(Number);
  if ((mask[3] ?? 255) >= 254) return null;
  return address
    .split('.')
    .map((part, index) => Number(part) | (~(mask[index] ?? 0) & 0xff))
    .join('.');
}
