import { isDeepStrictEqual } from 'node:util';
import { isUuid } from '../model/domain.ts';
import type { VmKey } from '../model/snapshot.ts';
import { defaultVmKey, isVmKey } from '../model/topics.ts';
import type { Config } from './config.ts';

/**
 * The VMs of a configuration that takes every domain of a host (`all`): each domain that is there becomes an entry by its
 * UUID. Pure.
 */

export type Template = Config['templates'][number];

/** As libvirt has it. */
export interface Found {
  uuid: string;
  name: string;
}

/** Names and UUIDs that it does not take: those in `except`, and those with an entry of their own. */
export function leftOut({ vms }: Pick<Config, 'vms'>, { on, except }: Pick<Template, 'on' | 'except'>): string[] {
  const own = vms.filter(vm => vm.on === on || isUuid(vm.domain)).map(({ domain }) => domain);
  return [...new Set([...except, ...own].map(word => (isUuid(word) ? word.toLowerCase() : word)))];
}

/** Whether one with `all` is for this domain of this host. `config`: as written. */
export function isTaken(config: Config, on: string | null, { uuid, name }: Found): boolean {
  const template = config.templates.find(each => each.on === on);
  const out = template && leftOut(config, template);
  return out !== undefined && !out.includes(name) && !out.includes(uuid.toLowerCase());
}

/**
 * The configuration as the parts know it. `found`: the domains of each host, by its name; without one that is away.
 * `known`: the VMs as last announced, which keep their keys, and stand for what a host that is away has.
 */
export function withEveryDomain(
  config: Config,
  found: ReadonlyMap<string | null, readonly Found[]>,
  known: Readonly<Record<VmKey, Found & { on: string | null }>>,
): Config {
  const remembered = Object.entries(known).map(([key, { uuid, name, on }]) => ({ key, uuid, name, on }));
  const isHost = (on: string | null) => config.hosts.some(({ name }) => name === on);
  const all = config.templates.flatMap(template => {
    const { on } = template;
    const domains = found.get(on) ?? remembered.filter(each => each.on === on || !isHost(each.on));
    const taken = domains.filter(domain => isTaken(config, on, domain)).toSorted(inOrder);
    return taken.map(({ uuid, name }) => ({ template, uuid, name }));
  });
  const keys = new Set(config.vms.map(({ key }) => key));
  const byUuid = [...Map.groupBy(all, ({ uuid }) => uuid).values()];
  const kept = byUuid.map(([first]) => {
    const was = remembered.find(({ key, uuid }) => uuid === first?.uuid && isVmKey(key) && !keys.has(key));
    if (was) keys.add(was.key);
    return was?.key;
  });
  const vms = byUuid.flatMap(([first, ...others], at) => {
    if (!first) return [];
    const { template, uuid, name } = first;
    const { except: _, ...settings } = template;
    const key = kept[at] ?? freeKey(name, uuid, template.on, keys);
    keys.add(key);
    // One that several hosts have may be on any of them, and on none may it be commanded what is not permitted there.
    const isSame = others.every(each => isDeepStrictEqual(each.template.commands, settings.commands));
    const commands = isSame ? settings.commands : [];
    const on = others.length === 0 ? template.on : null;
    return [{ ...settings, commands, on, domain: uuid, key, label: name }];
  });
  return { ...config, vms: [...config.vms, ...vms] };
}

/** The name's own key; if that is taken or is none, with the host's name, or with the beginning of the UUID. */
function freeKey(name: string, uuid: string, on: string | null, taken: ReadonlySet<VmKey>): VmKey {
  const own = defaultVmKey(name);
  const stem = own.slice(0, 80) || 'vm';
  const ends = [...(on === null ? [] : [on.slice(0, 40)]), uuid.slice(0, 8)];
  const free = [own, ...ends.map(end => `${stem}_${end}`)].find(key => isVmKey(key) && !taken.has(key));
  return free ?? uuid;
}

function inOrder(one: Found, other: Found): number {
  if (one.name === other.name) return one.uuid < other.uuid ? -1 : 1;
  return one.name < other.name ? -1 : 1;
}
