import { opener } from '../app/libvirt.ts';
import type { Config } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { ConnectError, ConnectionLost, ProtocolError, TimeoutError } from '../libvirt/errors.ts';
import { silent } from '../util/logger.ts';
import { Watch } from '../vm/watch.ts';
import { exitCode, Refusal } from './outcome.ts';

/** Uses a connection to libvirt on which the VMs' domains have been read. Every failure is a `Refusal`. */
export async function withDomains<T>(
  { libvirt, vms }: Pick<Config, 'libvirt' | 'vms'>,
  use: (client: Libvirt, watch: Watch) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  try {
    await using client = await opener(libvirt)(signal);
    const watch = new Watch({ vms, emit: () => {}, logger: silent });
    await watch.begin(client);
    return await use(client, watch);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const away = [ConnectError, ConnectionLost, TimeoutError, ProtocolError].some(kind => error instanceof kind);
    const code = away ? exitCode.unreached : exitCode.failed;
    throw new Refusal(code, `${libvirt.uri}: ${(error as Error).message}`, { cause: (error as Error).cause });
  }
}
