import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DiskFacts,
  type Facts,
  type LoaderFacts,
  type OtherDomain,
  type Room,
  readFacts,
  unknownFacts,
  unknownLoader,
} from '../../doctor/facts.ts';
import { type Host, lookAtHost } from '../../doctor/host.ts';
import type { Libvirt } from '../../libvirt/client.ts';
import { isLibvirtError, TimeoutError, unlessRefused } from '../../libvirt/errors.ts';
import type { DomainRef } from '../../libvirt/structs.ts';
import { readBootPartition } from '../../loader/image/boot-entry.ts';
import { isImageError } from '../../loader/image/image.ts';
import { openImage } from '../../loader/image/open.ts';
import { bootFiles, recognise } from '../../loader/kinds/recognise.ts';
import type { GuestKind } from '../../model/check.ts';
import { type LoaderSettings, wantedDsm } from '../../model/loader-settings.ts';
import { formatPci } from '../../vm/controllers.ts';
import type { Target } from '../../vm/watch.ts';

/** Collects what `doctor` judges. Changes nothing. */

export interface GatherOptions extends Pick<Facts, 'shutdownSeconds' | 'lastDisks'> {
  client: Libvirt;
  target: Target;
  guest: GuestKind;
  settings: LoaderSettings | null;
  /** libvirt runs on this machine. */
  local: boolean;
  signal: AbortSignal;
  /** For tests. */
  partition?: typeof readBootPartition | undefined;
}

type RecogniseOptions = Pick<GatherOptions, 'client' | 'settings' | 'signal' | 'partition'>;

/** Milliseconds: libvirt returns no definition while its QEMU hangs. */
const patience = 10_000;

/** Null: libvirt's text is no definition of a domain. Rejects as libvirt's calls do. */
export async function gather(options: GatherOptions) {
  const { client, target, guest, settings, local, signal, shutdownSeconds, lastDisks } = options;
  const { ref, domain } = target;
  const { active, autostart, hardware } = domain;
  const call = { timeout: patience, signal };
  // A read-only connection, or a policy, may refuse passwords.
  const secret = await unlessRefused(client.xml(ref, { inactive: true, secure: true, ...call }), null);
  const read = readFacts(secret ?? (await client.xml(ref, { inactive: true, ...call })));
  if (!read) return null;
  const running = { memoryNow: hardware.memory, bridges: hardware.nics.flatMap(({ source }) => source ?? []) };
  const facts: Facts = {
    ...{ ...unknownFacts(read), shutdownSeconds, lastDisks, loader: loaderFacts(settings) },
    ...{ secure: secret !== null, active, autostart, ...(active && running) },
  };
  const [loader, others, rooms, host] = await Promise.all([
    guest === 'dsm' ? recognised(facts, options) : facts.loader,
    otherDomains(client, ref, call),
    Promise.all(imagesOf(facts).map(disk => roomOf(client, ref, disk, call).catch(skipped))),
    local ? hostOf(facts, ref.uuid) : null,
  ]);
  return { ...facts, loader, others, rooms, host };
}

/** Without `uuid`, not how long Docker waits: that takes a look at each process. */
export function hostOf({ disks, controllers, bridges }: Facts, uuid: string | null = null): Promise<Host> {
  return lookAtHost({
    uuid,
    disks: disks.flatMap(({ source }) => (source?.startsWith('/dev/') ? [source] : [])),
    pci: controllers.flatMap(({ host }) => (host ? [formatPci(host)] : [])),
    bridges,
  });
}

/** What the configuration says; it does not say which release of the loader builds. */
export function loaderFacts(settings: LoaderSettings | null): LoaderFacts {
  if (!settings) return unknownLoader;
  const { kind, model, extensions, sataMap } = settings;
  const has = (name: string) => extensions.some(url => url.includes(name));
  return {
    ...{ ...unknownLoader, kind, model, dsm: wantedDsm(settings).version.replace(/-.*/, '') },
    acpid: has('acpid'),
    // Newer releases bring these drivers by themselves.
    virtio: has('virtio') || (has('all-modules') && has('eudev')) || null,
    map: sataMap === 'auto' ? 'unset' : sataMap,
  };
}

/** What the image says of itself counts more than the configuration. */
export async function recognised(
  { loader, disks }: Pick<Facts, 'loader' | 'disks'>,
  options: RecogniseOptions,
): Promise<LoaderFacts> {
  const { client, settings, signal, partition = readBootPartition } = options;
  const source = disks.find(({ role }) => role === 'loader')?.source ?? null;
  // No pool is made for it: nothing is changed.
  const way = settings?.image.way === 'path' ? settings.image : ({ way: 'volume', transientPool: false } as const);
  const scratch = await mkdtemp(join(tmpdir(), 'dsm2mqtt-')).catch(() => null);
  if (scratch === null) return loader;
  try {
    await using image = await openImage(way, source, client, signal);
    const known = recognise(await partition(image, bootFiles, { scratch, signal }), null);
    const { model, acpid, map } = known;
    const kind = known.kind === 'unknown' ? loader.kind : known.kind;
    // What the configuration says of another loader is wrong.
    const base = kind === loader.kind ? loader : { ...unknownLoader, model: loader.model };
    const told = { kind, model, dsm: known.dsm?.replace(/-.*/, ''), acpid, virtio: kind === 'rr' || null };
    const sets = map && (map.SataPortMap === '' ? 'unset' : map);
    return {
      ...base,
      ...Object.fromEntries(Object.entries({ ...told, map: sets }).filter(([, each]) => each != null)),
    };
  } catch (error) {
    if (!isImageError(error)) skipped(error);
    return loader;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

type Call = Pick<GatherOptions, 'signal'> & { timeout: number };

/** `unread` gets the name of each whose definition cannot be read. */
export async function otherDomains(
  client: Libvirt,
  { uuid }: Pick<DomainRef, 'uuid'>,
  call: Call,
  unread: (name: string) => void = () => {},
): Promise<OtherDomain[] | null> {
  const refs = await unlessRefused(client.domains(call), null);
  const asked = refs
    ?.filter(other => other.uuid !== uuid)
    .map(async ref => {
      // One that hangs or goes away meanwhile is no reason to lose the others.
      const xml = await client.xml(ref, call).catch(skipped);
      const read = xml === null ? null : readFacts(xml);
      if (!read) unread(ref.name);
      if (!read) return [];
      const macs = read.hardware.nics.map(({ mac }) => mac);
      return [{ name: ref.name, active: ref.id !== -1, disks: read.disks, macs }];
    });
  return asked ? (await Promise.all(asked)).flat() : null;
}

function imagesOf({ disks }: Facts): DiskFacts[] {
  return disks.filter(({ type, source }) => (type === 'file' || type === 'volume') && source !== null);
}

/** Not of an image in no pool, or of a libvirt without its storage driver. */
async function roomOf(client: Libvirt, ref: DomainRef, { target, type, source }: DiskFacts, call: Call): Promise<Room> {
  const { storage } = client;
  const path = source ?? '';
  const name = type === 'volume' ? path.replace(/\/.*/, '') : (await storage.volumeByPath(path, call)).pool;
  const [info, { capacity, allocation }] = await Promise.all([
    storage.poolByName(name, call).then(found => storage.poolInfo(found, call)),
    client.blockInfo(ref, target, call),
  ]);
  const growth = Math.max(0, capacity - allocation);
  return { target, pool: name, free: info.available, size: info.capacity, growth };
}

/** For a question that may be left open; a lost connection is no answer. */
function skipped(error: unknown): null {
  if (isLibvirtError(error) || error instanceof TimeoutError) return null;
  throw error;
}
