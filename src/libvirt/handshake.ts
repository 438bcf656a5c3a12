import type { CallOptions } from './calls.ts';
import type { Connection } from './connection.ts';
import { ConnectError } from './errors.ts';
import { procedures } from './procedures.ts';

const authType = { none: 0, sasl: 1, polkit: 2 } as const;
const feature = { keepalive: 10, eventCallbacks: 14 } as const;
const openReadOnly = 1;

/**
 * Authenticates and opens. AUTH_LIST comes first because a polkit daemon lets root in only then, and asking for the
 * keepalive feature is what starts the daemon's own pings. Rejects with `ConnectError` when this daemon is not for us,
 * else as a call does.
 */
export async function shakeHands(
  connection: Connection,
  { name, readOnly }: { name: string; readOnly: boolean },
  options: CallOptions,
): Promise<void> {
  await authenticate(connection, readOnly, options);
  await connection.call(procedures.connectSupportsFeature, { feature: feature.keepalive }, options);
  await connection.call(procedures.connectOpen, { name, flags: readOnly ? openReadOnly : 0 }, options);
  const events = await connection.call(procedures.connectSupportsFeature, { feature: feature.eventCallbacks }, options);
  if (!events.supported) throw new ConnectError('this libvirtd is older than 1.3.3: it has no event callbacks');
}

async function authenticate(connection: Connection, readOnly: boolean, options: CallOptions): Promise<void> {
  const { types } = await connection.call(procedures.authList, undefined, options);
  if (types.length === 0 || types.includes(authType.none)) return;
  if (!types.includes(authType.polkit)) {
    const setting = readOnly ? 'auth_unix_ro' : 'auth_unix_rw';
    throw new ConnectError(
      `libvirtd asks for a SASL login here, which is not supported: set ${setting} = "polkit" in its libvirtd.conf or virtqemud.conf (for its TLS port: auth_tls = "none")`,
    );
  }
  await connection.call(procedures.authPolkit, undefined, options);
}
