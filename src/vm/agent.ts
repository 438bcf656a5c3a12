import type { Libvirt } from '../libvirt/client.ts';
import { errorCode, isConnectionError, isLibvirtError, TimeoutError } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';

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
