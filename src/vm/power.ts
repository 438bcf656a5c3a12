import { type Libvirt, shutdownFlag } from '../libvirt/client.ts';
import { ConnectionLost, errorCode, isLibvirtError, ProtocolError, TimeoutError } from '../libvirt/errors.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import type { CommandWord } from '../model/command.ts';
import type { JobInput } from '../model/job.ts';

/** A call that did not succeed, as the job machine is told it. */
export type CallFailure = Extract<JobInput, { type: 'call_failed' }>;

/**
 * Does what a command's name says with one libvirt call. Null: libvirt has taken it; what comes of it is told by events.
 * Never retried: after a lost connection nobody knows whether it was done.
 */
export async function callPower(
  client: Libvirt | null,
  ref: DomainRef | null,
  word: CommandWord,
): Promise<CallFailure | null> {
  if (!client || !ref) return unavailable('libvirt is away');
  try {
    if (word === 'start') await client.start(ref, { timeout: 60_000 });
    else await client.shutdown(ref, shutdownFlag.acpi);
    return null;
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): CallFailure {
  if (error instanceof ProtocolError) return unknown(error.message);
  if (error instanceof ConnectionLost || error instanceof TimeoutError) {
    if (!error.sent) return unavailable(error.message);
    return unknown(error.message);
  }
  if (isLibvirtError(error, errorCode.operationDenied)) {
    return { type: 'call_failed', status: 'rejected', code: 'read_only', message: error.message };
  }
  if (isLibvirtError(error))
    return { type: 'call_failed', status: 'failed', code: 'libvirt_error', message: error.message };
  throw error;
}

function unknown(message: string): CallFailure {
  return { type: 'call_failed', status: 'failed', code: 'outcome_unknown', message };
}

function unavailable(message: string): CallFailure {
  return { type: 'call_failed', status: 'rejected', code: 'libvirt_unavailable', message };
}
