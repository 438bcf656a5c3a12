import { opener } from '../app/libvirt.ts';
import type { Config } from '../config/config.ts';
import { type HostConfig, hostConfigs, hostOf } from '../config/hosts.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { ConnectError, ConnectionLost, ProtocolError, TimeoutError } from '../libvirt/errors.ts';
import { silent } from '../util/logger.ts';
import { Watch } from '../vm/watch.ts';
import { exitCode, Refusal } from './outcome.ts';

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
    const away = [ConnectError, ConnectionLost, TimeoutError, ProtocolError].some(kind => error instanceof kind);
    const code = away ? exitCode.unreached : exitCode.failed;
    throw new Refusal(code, `${libvirt.uri}: ${(error as Error).message}`, { cause: (error as Error).cause });
  }
}

/** With the host of each VM that several may have: the one where it runs, else one that has it. */
async function found(config: Config, signal?: AbortSignal): Promise<Config> {
  const open = config.hosts.length > 1 ? config.vms.filter(({ on }) => on === null) : [];
  if (open.length === 0) return config;
  const look = async (_: Libvirt, watch: Watch) =>
    watch.targets().map(({ key, domain: { active } }) => ({ key, active }));
  const looks = config.hosts.map(async libvirt => {
    const there = await withDomains({ libvirt, vms: open }, look, signal).catch(() => []);
    return there.map(one => ({ ...one, on: libvirt.name }));
  });
  const seen = (await Promise.all(looks)).flat().toSorted((a, b) => Number(b.active) - Number(a.active));
  const vms = config.vms.map(vm => {
    return open.includes(vm)
      ? { ...vm, on: seen.find(({ key }) => key === vm.key)?.on ?? hostOf(config, vm).name }
      : vm;
  });
  return { ...config, vms };
}

/** The configuration for the host that has a VM; with all VMs. */
export async function onItsHost<C extends Config>(config: C, vm: C['vms'][number], signal?: AbortSignal) {
  const { vms } = await found({ ...config, vms: [vm] }, signal);
  return { ...config, libvirt: hostOf(config, vms[0] ?? vm) };
}

/**
 * What `look` makes of the VMs of each host, in the order of the configuration. A host that cannot be read does not keep
 * the others from it, but if none can, this throws.
 */
export async function ofEachHost<R extends { id: string }>(
  config: Config,
  look: (config: HostConfig) => Promise<readonly R[]>,
  signal?: AbortSignal,
): Promise<{ rows: R[]; refused: Refusal[] }> {
  const looks = hostConfigs(await found(config, signal)).filter(({ vms }) => vms.length > 0);
  const all = await Promise.allSettled(looks.map(look));
  const failures = all.flatMap(one => (one.status === 'rejected' ? [one.reason] : []));
  if (failures.length === all.length || !failures.every(error => error instanceof Refusal)) throw failures[0];
  const rows = all.flatMap(one => (one.status === 'fulfilled' ? one.value : []));
  const order = new Map(config.vms.map(({ key }, at) => [key, at]));
  return { rows: rows.toSorted((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0)), refused: failures };
}
