import { opener } from '../app/libvirt.ts';
import type { Config } from '../config/config.ts';
import { ConnectError, ConnectionLost, ProtocolError, TimeoutError } from '../libvirt/errors.ts';
import { silent } from '../util/logger.ts';
import { Watch } from '../vm/watch.ts';

/** A connection to libvirt on which the VMs' domains have been read. Rejects as `opener` does. */
export async function openDomains({ libvirt, vms }: Pick<Config, 'libvirt' | 'vms'>, signal?: AbortSignal) {
  const client = await opener(libvirt)(signal);
  try {
    const watch = new Watch({ vms, emit: () => {}, logger: silent });
    await watch.begin(client);
    return { client, watch, [Symbol.asyncDispose]: () => client.close() };
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** Whether libvirt was not reached, or was lost; otherwise it refused. */
export function isAway(error: unknown): boolean {
  return [ConnectError, ConnectionLost, TimeoutError, ProtocolError].some(kind => error instanceof kind);
}
