import { announcedVms, expanded } from '../app/every-domain.ts';
import { opener } from '../app/host/libvirt.ts';
import { type Config, type Host, type HostConfig, hostConfigs, hostOf } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { ConnectError, ConnectionLost, ProtocolError, TimeoutError } from '../libvirt/errors.ts';
import type { VmKey } from '../model/snapshot.ts';
import { entryOf } from '../util/entry-of.ts';
import { silent } from '../util/logger.ts';
import { Watch } from '../vm/watch.ts';
import { findVm } from './command.ts';
import { exitCode, Refusal } from './terminal.ts';

/** Which libvirt it is, for people. */
export function placeOf({ name, uri }: Pick<Host, 'name' | 'uri'>): string {
  return name === null ? uri : `${name} (${uri})`;
}

/** Uses a connection to libvirt on which the VMs' domains have been read. Every failure is a `Refusal`. */
export async function withDomains<T>(
  { libvirt, vms }: Pick<HostConfig, 'libvirt' | 'vms'>,
  use: (client: Libvirt, watch: Watch) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  try {
    await using client = await opener(libvirt)(signal);
    const watch = new Watch({ vms, emit: () => {}, logger: silent });
    await watch.begin(client);
    return await use(client, watch);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (signal?.reason?.name === 'AbortError') throw new Refusal(exitCode.failed, `${placeOf(libvirt)}: interrupted`);
    const away = [ConnectError, ConnectionLost, TimeoutError, ProtocolError].some(kind => error instanceof kind);
    const code = away ? exitCode.unreached : exitCode.failed;
    throw new Refusal(code, `${placeOf(libvirt)}: ${(error as Error).message}`, { cause: (error as Error).cause });
  }
}

/**
 * With the host of each VM that several may have: the one where it runs; else the one that has it and had it last; else
 * one that has it. `lost`: it runs on none of those that could be read, so nobody knows; `refused`: why the others could
 * not.
 */
async function found(config: Config, signal?: AbortSignal) {
  const open = config.hosts.length > 1 ? config.vms.filter(({ on }) => on === null) : [];
  const refused: Refusal[] = [];
  const looks = (open.length === 0 ? [] : config.hosts).map(libvirt => {
    const look = async (_: Libvirt, watch: Watch) =>
      watch.targets().map(({ key, domain: { active } }) => ({ key, active, on: libvirt.name }));
    return withDomains({ libvirt, vms: open }, look, signal).catch((error: Refusal) => {
      refused.push(error);
      return [];
    });
  });
  const last = open.length === 0 ? {} : await announcedVms(config.dataDir, signal);
  const rank = ({ active, key, on }: { active: boolean; key: VmKey; on: string | null }) =>
    active ? 0 : entryOf(last, key)?.on === on ? 1 : 2;
  const seen = (await Promise.all(looks)).flat().toSorted((a, b) => rank(a) - rank(b));
  const of = (key: VmKey) => seen.find(each => each.key === key);
  const lost = new Set(open.flatMap(({ key }) => (refused.length > 0 && !of(key)?.active ? [key] : [])));
  const vms = config.vms.map(vm => {
    return open.includes(vm) ? { ...vm, on: of(vm.key)?.on ?? hostOf(config, vm).name } : vm;
  });
  return { config: { ...config, vms }, refused, lost };
}

/** As `onItsHost`, of a VM by its key or name; also of those that `all` takes. */
export async function ofHost(config: Config, name: string, signal?: AbortSignal): Promise<HostConfig> {
  const whole = await expanded(config, signal);
  return onItsHost(whole, findVm(whole, name), signal);
}

/** The configuration for the host that has a VM; with all VMs. Throws `Refusal` if a host that is away may have it. */
export async function onItsHost(config: Config, vm: Config['vms'][number], signal?: AbortSignal): Promise<HostConfig> {
  const { config: one, refused, lost } = await found({ ...config, vms: [vm] }, signal);
  if (lost.size > 0 && refused[0]) throw refused[0];
  return { ...config, libvirt: hostOf(config, one.vms[0] ?? vm) };
}

/**
 * What `look` makes of the VMs of each host, in the order of the configuration. A host that cannot be read does not keep
 * the others from it, but if none can, this throws.
 */
export async function ofEachHost<R extends { id: string }>(
  config: Config,
  look: (config: HostConfig) => Promise<readonly R[]>,
  signal?: AbortSignal,
): Promise<{ rows: R[]; refused: Refusal[]; titleOf: (row: { id: string; name: string }) => string }> {
  const { config: whole, refused, lost } = await found(config, signal);
  const known = { ...whole, vms: whole.vms.filter(({ key }) => !lost.has(key)) };
  const looks = hostConfigs(known).filter(({ vms, templates, libvirt: { name } }) => {
    return vms.length > 0 || templates.some(({ on }) => on === name);
  });
  const { done, failures } = await settled(looks.map(look), refused);
  const rows = done.flat();
  const order = new Map(config.vms.map(({ key }, at) => [key, at]));
  /** Of several hosts, with the one that the VM is on. */
  const titleOf = ({ id, name }: { id: string; name: string }) => {
    const on = config.hosts.length > 1 && whole.vms.find(({ key }) => key === id)?.on;
    return `${name} (${id})${on ? ` on ${on}` : ''}`;
  };
  return {
    rows: rows.toSorted((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0)),
    ...{ refused: failures, titleOf },
  };
}

/**
 * What could be done, and why the rest could not, with what is `known` of that; a host that is away is told once. Throws
 * if nothing could.
 */
export async function settled<T>(tasks: readonly Promise<T>[], known: readonly Refusal[] = []) {
  const all = await Promise.allSettled(tasks);
  const done = all.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []));
  const failures = [...known, ...all.flatMap(one => (one.status === 'rejected' ? [one.reason] : []))];
  if (done.length === 0 || !failures.every(error => error instanceof Refusal)) throw failures[0];
  return { done, failures: [...new Map(failures.map(each => [each.message, each])).values()] };
}
