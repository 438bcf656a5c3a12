import { isIPv4 } from 'node:net';
import type { Libvirt } from '../libvirt/client.ts';
import { errorCode, isConnectionError, isLibvirtError, TimeoutError } from '../libvirt/errors.ts';
import type { DomainRef, GuestInterface } from '../libvirt/structs.ts';

/** `missing`: the domain has no channel for it. `not_applicable`: libvirt is away, or does not let it be asked. */
export type AgentAnswer = 'ok' | 'silent' | 'missing' | 'not_applicable';

/** Whether the guest agent answers, by a question that changes nothing. Rejects only when `signal` aborts. */
export async function askAgent(
  client: Libvirt | null,
  ref: DomainRef,
  options: { timeout: number; signal?: AbortSignal },
): Promise<AgentAnswer> {
  if (!client) return 'not_applicable';
  try {
    await client.interfaceAddresses(ref, 'agent', options);
    return 'ok';
  } catch (error) {
    if (error instanceof TimeoutError || isLibvirtError(error, errorCode.agentUnresponsive)) return 'silent';
    if (isLibvirtError(error, errorCode.argumentUnsupported)) return 'missing';
    if (isLibvirtError(error) || isConnectionError(error)) return 'not_applicable';
    throw error;
  }
}

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
