import { isIPv4 } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** A network that this machine has an IPv4 address of its own in, so that it reaches the others without a router. */
export interface Network {
  device: string;
  /** This machine's own. */
  address: string;
  netmask: string;
}

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

export function ownNetworks(interfaces: Interfaces = ownInterfaces()): Network[] {
  return Object.entries(interfaces).flatMap(([device, infos = []]) =>
    infos
      .filter(({ family, internal }) => family === 'IPv4' && !internal)
      .map(({ address, netmask }) => ({ device, address, netmask })),
  );
}

/** Whether an IPv4 address is of this network. */
export function isInside({ address, netmask }: Network, candidate: string): boolean {
  const mask = bits(netmask);
  return isIPv4(candidate) && (bits(candidate) & mask) === (bits(address) & mask);
}

/** Every other address of a network of at most 256; a larger one has none, because to ask them all would be a flood. */
export function othersIn({ address, netmask }: Network): string[] {
  const size = (~bits(netmask) >>> 0) + 1;
  if (size > 256) return [];
  const first = (bits(address) & bits(netmask)) >>> 0;
  const all = Array.from({ length: Math.max(0, size - 2) }, (_, i) => text(first + 1 + i));
  return all.filter(other => other !== address);
}

/** None where a service may not look at them (systemd's RestrictAddressFamilies without netlink). */
export function ownInterfaces(): Interfaces {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}

function bits(address: string): number {
  return address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0);
}

function text(address: number): string {
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.');
}
