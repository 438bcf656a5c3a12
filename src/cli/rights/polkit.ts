import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { libvirtUri } from '../../app/host/libvirt.ts';
import { type Config, type Host, type HostConfig, hostConfigs } from '../../config/config.ts';
import { leftOut } from '../../config/every-domain.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { imagesOf } from '../../rights/image.ts';
import { type NeedsOptions, rightsOf } from '../../rights/needs.ts';
import { rulesFile } from '../../rights/rules.ts';
import type { Watch } from '../../vm/watch.ts';
import { placeOf, withDomains } from '../domains.ts';
import { type ExitCode, exitCode, type Output, Refusal } from '../terminal.ts';

export interface PolkitOptions extends Output {
  config: Config;
  /** Of several, the one that the rules are for. */
  host?: string;
  user?: string;
  group?: readonly string[];
  define: boolean;
  signal: AbortSignal;
}

/** The packages' user. */
const ofPackages = 'dsm2mqtt';
const name = /^[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?$/;

/** `dsm2mqtt polkit`: prints rules for polkit. libvirt is asked only where a loader's image is a volume. Throws `Refusal`. */
export async function polkit({ config, define, signal, stdout, ...options }: PolkitOptions): Promise<ExitCode> {
  const host = only(config, options.host);
  const { readOnly } = host.libvirt;
  const user = options.user ?? usualUser(host.libvirt);
  const groups = options.group ?? [];
  const strange = [user, ...groups].find(each => !name.test(each));
  if (strange !== undefined) throw new Refusal(exitCode.usage, `'${strange}' is no name of a user or group`);
  if (user === 'root') throw new Refusal(exitCode.usage, 'polkit never refuses root: name another user with --user');
  mustAsk(host.libvirt);
  const rights = rightsOf(withAll(config, host), { images: await lookedUp(host, signal), define });
  stdout.write(rulesFile({ user, groups, readOnly, rights }));
  return exitCode.succeeded;
}

function only(config: Config, name: string | undefined): HostConfig {
  const hosts = hostConfigs(config);
  const [first] = hosts;
  const host = name === undefined && hosts.length === 1 ? first : hosts.find(({ libvirt }) => libvirt.name === name);
  if (host) return host;
  const known = config.hosts.map(each => each.name ?? '').join(', ');
  const wrong = name === undefined ? 'the rules are for one host' : `there is no host '${name}'`;
  throw new Refusal(exitCode.usage, `${wrong}: name it with --host (${known || 'there is only one, without a name'})`);
}

/** Also those that are not there yet. */
function withAll(config: Config, { libvirt, vms }: HostConfig): Parameters<typeof rightsOf>[0] {
  const all = config.templates.filter(({ on }) => on === libvirt.name);
  const more = all.map(each => ({ ...each, domain: '', key: 'all', label: 'all', except: leftOut(config, each) }));
  return { libvirt, vms: [...vms, ...more] };
}

/** Who calls libvirt there. */
function usualUser(libvirt: Host): string {
  const { remote } = libvirtUri(libvirt);
  if (remote?.transport === 'ssh') return remote.user;
  return process.getuid?.() === 0 ? ofPackages : userInfo().username;
}

function mustAsk(libvirt: Host): void {
  const { remote, name: driver } = libvirtUri(libvirt);
  const no = (why: string) => {
    throw new Refusal(exitCode.failed, `${placeOf(libvirt)}: ${why}`);
  };
  if (remote?.transport === 'tls')
    no('over TLS libvirt knows no user, and with `access_drivers` it refuses everything. Use qemu+ssh.');
  if (driver.endsWith('/session')) no('a session is its user’s own, and nobody is asked.');
  if (!remote && existsSync('/etc/unraid-version'))
    no('Unraid has no polkitd. Whoever may write to the socket is root there.');
}

async function lookedUp({ libvirt, vms }: HostConfig, signal: AbortSignal): Promise<NeedsOptions['images']> {
  const needed = vms.filter(({ loader }) => loader?.image.way === 'volume');
  if (needed.length === 0) return new Map();
  const look = async (client: Libvirt, watch: Watch) => {
    const images = await imagesOf(client, watch, needed);
    const [lost] = [...images].flatMap(([key, image]) => (image ? [] : [key]));
    if (lost === undefined) return images;
    const why = `${lost}: only its loader's image may be written, and libvirt names no file as that.`;
    throw new Refusal(exitCode.failed, `${why} ${watch.instead(lost)}`.trimEnd());
  };
  return withDomains({ libvirt, vms: needed }, look, signal);
}
