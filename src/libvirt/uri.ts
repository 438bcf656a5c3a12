/**
 * libvirt connection URIs (https://libvirt.org/uri.html): `driver[+transport]://[host]/path[?params]`.
 * This version speaks over unix sockets.
 */
export interface LibvirtUri {
  /** What the daemon is asked to open: `qemu:///system`, without transport and parameters. */
  name: string;
  /** Sockets to try, the first that exists wins. */
  sockets: readonly string[];
}

export interface UriContext {
  readOnly?: boolean;
  /** `XDG_RUNTIME_DIR`, for `…/session`. */
  runtimeDir?: string | undefined;
}

const form =
  /^(?<driver>[a-z]+)(?:\+(?<transport>[a-z0-9]+))?:\/\/(?<host>[^/?#]*)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/;

/** Throws `TypeError` with a sentence for people when the URI cannot be used. */
export function parseUri(uri: string, { readOnly = false, runtimeDir }: UriContext = {}): LibvirtUri {
  const parts = form.exec(uri)?.groups;
  if (!parts) throw new TypeError(`'${uri}' is not a libvirt URI such as qemu:///system`);
  const { driver = '', transport = 'unix', host, path = '/', query } = parts;
  if (transport !== 'unix') {
    throw new TypeError(
      `'${uri}': the transport '${transport}' is not supported; use ${driver}:// or ${driver}+unix://`,
    );
  }
  if (host) throw new TypeError(`'${uri}': a unix socket has no host; write ${driver}://${path}`);
  // A plus is a plus here, not a space as in a web form.
  const parameters = new URLSearchParams(query?.replaceAll('+', '%2B'));
  const unknown = [...parameters.keys()].find(key => key !== 'socket');
  if (unknown) throw new TypeError(`'${uri}': unknown parameter '${unknown}'; 'socket' is the only one supported`);
  const name = `${driver}://${path}`;
  const socket = parameters.get('socket');
  if (socket) return { name, sockets: [socket] };
  return { name, sockets: defaultSockets(driver, path, readOnly, runtimeDir) };
}

/** libvirt's local rule: the driver's own daemon if it is there, else the monolithic one. A session has no `-ro`. */
function defaultSockets(driver: string, path: string, readOnly: boolean, runtimeDir: string | undefined): string[] {
  const session = path === '/session';
  if (session && !runtimeDir) throw new TypeError(`${driver}:///session needs XDG_RUNTIME_DIR, or ?socket=PATH`);
  const directory = session ? `${runtimeDir}/libvirt` : '/run/libvirt';
  const suffix = readOnly && !session ? '-ro' : '';
  return [`virt${driver}d-sock${suffix}`, `libvirt-sock${suffix}`].map(file => `${directory}/${file}`);
}
