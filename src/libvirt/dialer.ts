import { tlsDialer } from './tls.ts';
import { type Dialer, unixDialer } from './transport.ts';
import type { LibvirtUri } from './uri.ts';

/** The way to a libvirt: its unix sockets, or TLS. Throws `TypeError` for SSH, which is not libvirt's own. */
export function dialerOf({ sockets, remote }: LibvirtUri): Dialer {
  if (!remote) return unixDialer(sockets);
  if (remote.transport === 'tls') return tlsDialer(remote);
  throw new TypeError('a libvirt that is reached by SSH needs a dialer');
}
