import { isIPv4 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { orNull } from '../../util/or-null.ts';

/** A network in which this machine has its own IPv4 address, so that it reaches the others without a router. */
export interface Network {
  device: string;
  /** This machine's own. */
  address: string;
  netmask: string;
}

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** None where a service may not list them (systemd's RestrictAddressFamilies without netlink). */
export function ownNetworks(interfaces: Interfaces = orNull(networkInterfaces) ?? {}): Network[] {
  return Object.entries(interfaces).flatMap(([device, infos = []]) =>
    infos
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address, netmask }) => ({ device, address, netmask })),
  );
}

/** Reaches every machine on the network of the default route. */
const everyone = '255.255.255.255';

/** The addresses that reach every machine: each network's broadcast address, and the general one. */
export function broadcastAddresses(interfaces?: Interfaces): string[] {
  const own = ownNetworks(interfaces)
    // Networks of one or two addresses have no broadcast address (RFC 3021).
    .filter(network => sizeOf(network) > 2)
    .map(({ address, netmask }) => text(bits(address) | ~bits(netmask)));
  return [...new Set([...own, everyone])];
}

/** Whether an IPv4 address belongs to this network. */
export function isInside({ address, netmask }: Network, candidate: string): boolean {
  return isIPv4(candidate) && ((bits(candidate) ^ bits(address)) & bits(netmask)) === 0;
}

/** Every other address of a network of at most 256; none for a larger one, because asking all would be a flood. */
export function othersIn(network: Network): string[] {
  const size = sizeOf(network);
  if (size > 256) return [];
  const first = bits(network.address) & bits(network.netmask);
  const all = Array.from({ length: Math.max(0, size - 2) }, (_, i) => text(first + 1 + i));
  return all.filter(other => other !== network.address);
}

/** Addresses in it. */
function sizeOf({ netmask }: Network): number {
  return (~bits(netmask) >>> 0) + 1;
}

function bits(address: string): number {
  return address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0);
}

function text(address: number): string {
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.');
}
