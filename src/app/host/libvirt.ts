import { readFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { Libvirt } from '../../libvirt/client.ts';
import { ConnectError } from '../../libvirt/errors.ts';
import type { Dialer } from '../../libvirt/transport.ts';
import { type LibvirtUri, parseUri, type SshEndpoint } from '../../libvirt/uri.ts';
import { SshError } from '../../ssh/errors.ts';
import { knownHost } from '../../ssh/known-hosts.ts';
import type { SshSession } from '../../ssh/session.ts';

/** How to reach the configured libvirt. Every part that needs a connection opens it with this. */

/** Milliseconds for SSH up to the login; libvirt's own handshake comes on top. */
const sshWithin = 8_000;

interface LibvirtConfig {
  uri: string;
  readOnly: boolean;
}

/** Throws `TypeError` with a sentence for people. */
export function libvirtUri({ uri, readOnly }: LibvirtConfig): LibvirtUri {
  return parseUri(uri, { readOnly, runtimeDir: process.env['XDG_RUNTIME_DIR'], home: homedir() });
}

/**
 * Whether libvirt runs on this machine. The socket in the URI may be forwarded from another machine, so libvirt's host
 * name must be this machine's. `host` null: libvirt has not told it.
 */
export function isLocal(libvirt: LibvirtConfig, host: string | null, own = hostname()): boolean {
  // Each check asks, and most URIs name no host.
  if (!/^\w+(\+unix)?:\/\/\//.test(libvirt.uri) && libvirtUri(libvirt).remote) return false;
  if (!/[?&]socket=/.test(libvirt.uri)) return true;
  return host !== null && firstLabel(host) === firstLabel(own);
}

function firstLabel(host: string): string {
  return host.toLowerCase().replace(/\..*/s, '');
}

/** Opens connections to the configured libvirt. Throws as `libvirtUri` does. */
export function opener({ uri, readOnly }: LibvirtConfig): (signal?: AbortSignal) => Promise<Libvirt> {
  const parsed = libvirtUri({ uri, readOnly });
  const dial = dialerOf(parsed);
  return signal => Libvirt.open({ uri: parsed, readOnly, ...(signal && { signal }), ...(dial && { dial }) });
}

/** Undefined: libvirt's own client knows the way. */
export function dialerOf({ sockets, remote }: LibvirtUri): Dialer | undefined {
  return remote?.transport === 'ssh' ? sshDialer(remote, sockets) : undefined;
}

/** The first of that machine's sockets that is there, over an SSH connection that ends with the stream. */
function sshDialer(endpoint: SshEndpoint, sockets: readonly string[]): Dialer {
  const { host, port, user, keyFile, knownHosts } = endpoint;
  return async signal => {
    // Only here: most bridges need no ssh2.
    const { connect } = await import('../../ssh/connect.ts');
    const [privateKey, known] = await Promise.all([read(keyFile), read(knownHosts)]);
    const { keys, unusable } = knownHost(known, host, port);
    if (keys.length === 0) {
      const what =
        unusable.length === 0
          ? `${host} is not in ${knownHosts}`
          : `${knownHosts} has no key of ${host} that can be used here, only ${unusable.join(', ')}`;
      throw new ConnectError(`${what}: ssh-keyscan -p ${port} ${host} prints its keys`);
    }
    const hostKeys = keys.map(key => key.fingerprint);
    const hostKeyTypes = keys.map(key => key.type);
    const session = await connect(
      { host, port, user, privateKey, hostKeys, hostKeyTypes, within: sshWithin },
      signal,
    ).catch(error => {
      throw explained(error, `${user}@${host}`);
    });
    try {
      const stream = await firstOf(session, sockets, signal);
      stream.once('close', () => void session.close());
      return stream;
    } catch (error) {
      await session.close();
      throw explained(error, host);
    }
  };
}

async function firstOf(session: SshSession, sockets: readonly string[], signal: AbortSignal) {
  for (const path of sockets) {
    try {
      return await session.socket(path, signal);
    } catch (error) {
      if (!(error instanceof SshError && error.code === 'not_started')) throw error;
    }
  }
  throw new ConnectError(
    `no libvirt socket at ${sockets.join(' or ')} there, or not for this user, or its SSH server has AllowStreamLocalForwarding off`,
  );
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ConnectError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Any failure on the way means that libvirt was not reached, except an abort, which stays an abort. */
function explained(error: unknown, where: string): unknown {
  if (!(error instanceof SshError) && !(error instanceof ConnectError)) return error;
  if (error instanceof SshError && error.code === 'cancelled') return error;
  return new ConnectError(`SSH to ${where}: ${error.message}`, { cause: error });
}
