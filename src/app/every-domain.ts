import type { Config, Host } from '../config/config.ts';
import { type Found, withEveryDomain } from '../config/every-domain.ts';
import { type Announced, announcedStore, nothingAnnounced } from '../discovery/announced-store.ts';
import { inTime, within } from '../util/deadline.ts';
import { silent } from '../util/logger.ts';
import { opener } from './host/libvirt.ts';

/** Milliseconds for a host to list its domains. */
const patience = 5_000;

/** The configuration with every domain of those hosts that it takes all of. */
export async function expanded(config: Config, signal?: AbortSignal): Promise<Config> {
  if (config.templates.length === 0) return config;
  return expandedBy(config, await look(config, signal), [], signal);
}

/** Domains by the name of their host. A host that is away, or of which not all is taken, has none. */
export type Looked = ReadonlyMap<string | null, readonly Found[]>;

export async function look({ hosts, templates }: Config, signal?: AbortSignal): Promise<Looked> {
  const looks = hosts.map(async host => {
    const isAsked = templates.some(({ on }) => on === host.name);
    const there = isAsked ? await domainsOf(host, signal).catch(() => null) : null;
    return there ? [[host.name, there] as const] : [];
  });
  return new Map((await Promise.all(looks)).flat());
}

/** Of a host that is away, the domains are those last announced, or `served` now. */
export async function expandedBy(
  config: Config,
  found: Looked,
  served: Config['vms'] = [],
  signal?: AbortSignal,
): Promise<Config> {
  const written = new Set(config.vms.map(({ key }) => key));
  const taken = served.filter(({ key }) => !written.has(key));
  const now = taken.map(({ key, domain: uuid, label: name, on }) => [key, { uuid, name, on }] as const);
  return withEveryDomain(config, found, {
    ...(await announcedVms(config.dataDir, signal)),
    ...Object.fromEntries(now),
  });
}

/** The VMs as a bridge last announced them. */
export async function announcedVms(folder: string, signal?: AbortSignal): Promise<Announced['vms']> {
  // A file system may hang.
  return (await inTime(announcedStore(folder, silent).load(), patience, nothingAnnounced, signal)).vms;
}

async function domainsOf(host: Host, signal = new AbortController().signal): Promise<readonly Found[] | null> {
  const list = async (signal: AbortSignal) => {
    await using client = await opener(host)(signal);
    return await client.domains({ timeout: patience });
  };
  return within(patience, signal, list, null);
}
