import type { Libvirt } from '../libvirt/client.ts';
import { ConnectionLost, errorCode, isLibvirtError, ProtocolError, TimeoutError } from '../libvirt/errors.ts';
import { destroyFlag, rebootFlag, shutdownFlag } from '../libvirt/flags.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import type { ShutdownMethod } from '../model/command.ts';
import type { Call } from '../model/commands.ts';
import { type CallFailure, callPatience } from '../model/job/job.ts';

export interface CallManner {
  /** Of a press, and of a reboot by the guest. */
  method: ShutdownMethod;
  /** Withdraws the call, if it was not sent yet. */
  signal?: AbortSignal;
}

/**
 * Carries out a call with one libvirt call, or with two if the agent fails and the button is next. Null: libvirt has
 * accepted it; events report the effect. Never retried: after a lost connection it is unknown whether the call ran.
 */
export function callPower(
  client: Libvirt | null,
  ref: DomainRef | null,
  call: Call,
  how: CallManner,
): Promise<CallFailure | null> {
  return attempt(client, ref, async (...domain) => {
    await made(...domain, call, how);
    return null;
  });
}

/** The result of `act`, or what its failure means for the caller. Rethrows an error that is our own fault. */
export async function attempt<T>(
  client: Libvirt | null,
  ref: DomainRef | null,
  act: (client: Libvirt, ref: DomainRef) => Promise<T>,
): Promise<T | CallFailure> {
  if (!client || !ref) return { kind: 'rejected', code: 'libvirt_unavailable', message: 'libvirt is away' };
  try {
    return await act(client, ref);
  } catch (error) {
    return callFailure(error);
  }
}

function callFailure(error: unknown): CallFailure {
  if (error instanceof ProtocolError) return { kind: 'failed', code: 'outcome_unknown', message: error.message };
  if (error instanceof ConnectionLost || error instanceof TimeoutError) {
    const { message } = error;
    if (!error.sent) return { kind: 'rejected', code: 'libvirt_unavailable', message };
    // The daemon is still there, and may still do it.
    if (error instanceof TimeoutError) return { kind: 'unanswered', message };
    return { kind: 'failed', code: 'outcome_unknown', message };
  }
  if (isLibvirtError(error, errorCode.operationDenied)) {
    return { kind: 'rejected', code: 'read_only', message: error.message };
  }
  if (isLibvirtError(error)) return { kind: 'failed', code: 'libvirt_error', message: error.message };
  throw error;
}

async function made(client: Libvirt, ref: DomainRef, call: Call, { method, signal }: CallManner): Promise<unknown> {
  switch (call) {
    case 'start':
      return client.start(ref, { signal, timeout: callPatience.start });
    case 'press':
      return byMethod(method, flag => client.shutdown(ref, flag, { signal }), shutdownFlag);
    case 'guest_reboot':
      return byMethod(method, flag => client.reboot(ref, flag, { signal }), rebootFlag);
    case 'cut_power':
      // Graceful lets QEMU flush its disk caches; libvirt reports a QEMU that does not obey, if it notices.
      return client.destroy(ref, destroyFlag.graceful, { signal, timeout: callPatience.cut_power });
    default:
      return client[call === 'wake_up' ? 'wakeUp' : call](ref, { signal, timeout: callPatience.change });
  }
}

/** An agent that is not there or does not answer has done nothing: the button may be pressed instead. */
async function byMethod(
  method: ShutdownMethod,
  ask: (flag: number) => Promise<void>,
  flags: { acpi: number; agent: number },
): Promise<void> {
  if (method === 'acpi') return ask(flags.acpi);
  if (method === 'agent') return ask(flags.agent);
  return ask(flags.agent).catch(error => {
    if (isLibvirtError(error)) return ask(flags.acpi);
    throw error;
  });
}
