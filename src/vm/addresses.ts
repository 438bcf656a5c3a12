import { isIPv4 } from 'node:net';
import type { Libvirt } from '../libvirt/client.ts';
import { isConnectionError, isLibvirtError } from '../libvirt/errors.ts';
import type { DomainRef, GuestInterface } from '../libvirt/structs.ts';

export interface AddressOptions {
  /** Milliseconds for both questions together. */
  timeout: number;
  /** Then the agent is not asked: to libvirt that is a write. */
  readOnly: boolean;
  signal?: AbortSignal;
}

/**
 * IPv4 addresses that libvirt knows for these MACs: first the guest agent's, then the leases of libvirt's networks,
 * without loopback and link-local ones. A source that fails or is late gives none. Rejects only when `signal` aborts.
 */
export async function addressesOf(
  client: Libvirt | null,
  ref: DomainRef,
  macs: readonly string[],
  { readOnly, ...options }: AddressOptions,
): Promise<string[]> {
  if (!client) return [];
  const ask = (source: 'agent' | 'lease') => client.interfaceAddresses(ref, source, options).catch(nothing);
  const interfaces = await Promise.all([readOnly ? [] : ask('agent'), ask('lease')]);
  const wanted = new Set(macs.map(mac => mac.toLowerCase()));
  const found = interfaces
    .flat()
    .filter(({ mac }) => mac !== null && wanted.has(mac.toLowerCase()))
    .flatMap(({ addresses }) => addresses.map(({ address }) => address))
    .filter(address => isIPv4(address) && !/^(0|127|169\.254)\./.test(address));
  return [...new Set(found)];
}

function nothing(error: unknown): GuestInterface[] {
  if (isLibvirtError(error) || isConnectionError(error)) return [];
  throw error;
}
