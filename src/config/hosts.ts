import type { Config } from './config.ts';

export type Host = Config['hosts'][number];

/** The configuration as the parts of one host need it. */
export type HostConfig = Omit<Config, 'hosts'> & { libvirt: Host };

/** One for each host, with the VMs that are there, or may be there. */
export function hostConfigs({ hosts, vms, ...rest }: Config): HostConfig[] {
  return hosts.map(libvirt => ({ ...rest, libvirt, vms: vms.filter(({ on }) => on === null || on === libvirt.name) }));
}

/** Those that a VM may be on. */
export function hostsOf({ hosts }: Pick<Config, 'hosts'>, { on }: Config['vms'][number]): readonly Host[] {
  return on === null ? hosts : hosts.filter(({ name }) => name === on);
}

/** The host of a VM; the first one, if it may be on any. */
export function hostOf({ hosts }: Pick<Config, 'hosts'>, { on }: Config['vms'][number]): Host {
  const [first] = hosts;
  const host = hosts.find(({ name }) => name === on) ?? first;
  if (!host) throw new TypeError('a configuration has a host');
  return host;
}
