import type { TlsEndpoint } from './tls.ts';

/** A machine whose libvirt socket is reached by SSH. The caller dials it. */
export interface SshEndpoint {
  transport: 'ssh';
  host: string;
  port: number;
  user: string;
  /** The private key, without a passphrase. */
  keyFile: string;
  /** A file in OpenSSH's format, which must contain the host. */
  knownHosts: string;
}

/**
 * libvirt connection URIs (https://libvirt.org/uri.html): `driver[+transport]://[user@][host][:port]/path[?params]`.
 * This version speaks over unix sockets, TLS, and a unix socket at the other end of SSH.
 */
export interface LibvirtUri {
  /** What the daemon opens: `qemu:///system`, without transport and parameters. */
  name: string;
  /** Sockets to try, the first that exists wins; with SSH those of the other machine, with TLS none. */
  sockets: readonly string[];
  /** Where libvirt runs, if not on this machine. */
  remote?: TlsEndpoint | SshEndpoint;
}

export interface UriContext {
  readOnly?: boolean;
  /** `XDG_RUNTIME_DIR`, for `…/session`. */
  runtimeDir?: string | undefined;
  /** For SSH's key and known hosts. */
  home?: string | undefined;
}

const form =
  /^(?<driver>[a-z]+)(?:\+(?<transport>[a-z0-9]+))?:\/\/(?<authority>[^/?#]*)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/;
const authorityForm = /^(?:(?<user>[^@:]+)@)?(?<host>\[[0-9A-Fa-f:.]+\]|[^@:[\]]+)(?::(?<port>[0-9]{1,5}))?$/;

const parametersOf = {
  unix: ['socket'],
  tls: ['pkipath', 'no_verify'],
  ssh: ['socket', 'keyfile', 'known_hosts'],
} as const;
type Transport = keyof typeof parametersOf;

/** Throws `TypeError` with a sentence for people when the URI cannot be used. */
export function parseUri(uri: string, context: UriContext = {}): LibvirtUri {
  const { readOnly = false, runtimeDir } = context;
  const parts = form.exec(uri)?.groups;
  if (!parts) throw new TypeError(`'${uri}' is not a libvirt URI such as qemu:///system`);
  const { driver = '', transport = 'unix', authority = '', path = '/', query } = parts;
  if (!isTransport(transport)) {
    throw new TypeError(
      `'${uri}': the transport '${transport}' is not supported; use ${driver}:// or ${driver}+unix://, +tls or +ssh`,
    );
  }
  // A plus is a plus here, not a space as in a web form.
  const parameters = new URLSearchParams(query?.replaceAll('+', '%2B'));
  const supported: readonly string[] = parametersOf[transport];
  const unknown = [...parameters.keys()].find(key => !supported.includes(key));
  if (unknown) {
    throw new TypeError(`'${uri}': unknown parameter '${unknown}'; supported here: ${supported.join(', ')}`);
  }
  const name = `${driver}://${path}`;
  if (transport === 'unix') {
    if (authority) throw new TypeError(`'${uri}': a unix socket has no host; write ${driver}://${path}`);
    const socket = parameters.get('socket');
    return { name, sockets: socket ? [socket] : defaultSockets(driver, path, readOnly, runtimeDir) };
  }
  const { user, host, port } = authorityForm.exec(authority)?.groups ?? {};
  if (!host) throw new TypeError(`'${uri}': expected a host, as in ${driver}+${transport}://nas-host.lan${path}`);
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535)) {
    throw new TypeError(`'${uri}': the port must be 1 to 65535`);
  }
  const at = { host: host.replace(/^\[|\]$/g, ''), port: port ? Number(port) : defaultPort[transport] };
  if (transport === 'tls') return { name, sockets: [], remote: tlsEndpoint(at, parameters) };
  if (!user) throw new TypeError(`'${uri}': name the user, as in ${driver}+ssh://root@${authority}${path}`);
  if (path === '/session') throw new TypeError(`'${uri}': a session is for its own machine alone`);
  const socket = parameters.get('socket');
  return {
    name,
    sockets: socket ? [socket] : defaultSockets(driver, path, readOnly, undefined),
    remote: sshEndpoint({ ...at, user }, parameters, context.home ?? '/root'),
  };
}

const defaultPort = { tls: 16_514, ssh: 22 } as const;

function isTransport(text: string): text is Transport {
  return Object.hasOwn(parametersOf, text);
}

/** The files as libvirt's own clients look for them (https://libvirt.org/kbase/tlscerts.html). */
function tlsEndpoint(at: { host: string; port: number }, parameters: URLSearchParams): TlsEndpoint {
  const folder = parameters.get('pkipath');
  const files = folder
    ? { ca: `${folder}/cacert.pem`, cert: `${folder}/clientcert.pem`, key: `${folder}/clientkey.pem` }
    : {
        ca: '/etc/pki/CA/cacert.pem',
        cert: '/etc/pki/libvirt/clientcert.pem',
        key: '/etc/pki/libvirt/private/clientkey.pem',
      };
  return { transport: 'tls', ...at, ...files, verify: parameters.get('no_verify') !== '1' };
}

function sshEndpoint(
  at: { host: string; port: number; user: string },
  parameters: URLSearchParams,
  home: string,
): SshEndpoint {
  const keyFile = parameters.get('keyfile') ?? `${home}/.ssh/id_ed25519`;
  return { transport: 'ssh', ...at, keyFile, knownHosts: parameters.get('known_hosts') ?? `${home}/.ssh/known_hosts` };
}

/** libvirt's local rule: the driver's own daemon if it is there, else the monolithic one. A session has no `-ro`. */
function defaultSockets(driver: string, path: string, readOnly: boolean, runtimeDir: string | undefined): string[] {
  const session = path === '/session';
  if (session && !runtimeDir) throw new TypeError(`${driver}:///session needs XDG_RUNTIME_DIR, or ?socket=PATH`);
  const directory = session ? `${runtimeDir}/libvirt` : '/run/libvirt';
  const suffix = readOnly && !session ? '-ro' : '';
  return [`virt${driver}d-sock${suffix}`, `libvirt-sock${suffix}`].map(file => `${directory}/${file}`);
}
