import { Libvirt } from '../../../src/libvirt/client.ts';
import { parseUri } from '../../../src/libvirt/uri.ts';
import { FakeLibvirtd, type ListenOptions } from './daemon.ts';

/** A daemon with a DSM, and a client of it; they end with their scope. `readOnly`: at its read-only socket. */
export async function opened({ readOnly = false, ...options }: ListenOptions & { readOnly?: boolean } = {}) {
  const daemon = await FakeLibvirtd.listen(options);
  const domain = daemon.define();
  const way = readOnly ? { uri: parseUri(daemon.readOnlyUri) } : { uri: parseUri(daemon.uri), dial: daemon.dial };
  const client = await Libvirt.open(way);
  const close = async () => {
    await client.close();
    await daemon.close();
  };
  return { daemon, domain, client, [Symbol.asyncDispose]: close };
}
