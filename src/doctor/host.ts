import { hash } from 'node:crypto';
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { inTime } from '../util/deadline.ts';
import type { Logger } from '../util/logger.ts';
import { orNull } from '../util/or-null.ts';
import { Store } from '../util/store.ts';

/** What this machine, on which libvirt runs, knows of a VM. Only reads; what cannot be read is missing. */

export interface Host {
  /** The text of /proc/cpuinfo; empty: unknown. */
  cpuinfo: string;
  /** By the source in the definition. */
  disks: ReadonlyMap<string, HostDisk>;
  /** Classes of PCI devices as sysfs writes them, `0x010700`, by address as lspci -D writes it. */
  classes: ReadonlyMap<string, string>;
  /** Seconds until a new port of a bridge forwards, by the bridge's name. */
  bridgeDelays: ReadonlyMap<string, number>;
  /** What stops VMs when the host goes down, and how long each one gets. */
  stoppers: readonly { who: string; seconds: number }[];
  /** qemu.conf sets a password or a login for graphics; null: it cannot be read. */
  graphicsGuarded: boolean | null;
}

export interface HostDisk {
  /** What on the host has it, a phrase; null: nothing is seen to. */
  usedBy: string | null;
  /** Its lasting name: `/dev/disk/by-id/…`. */
  byId: string | null;
  /** A hash of what the device says it is; null: it says nothing. */
  identity: string | null;
}

interface Wanted {
  /** Null: Docker is left out. */
  uuid: string | null;
  /** Paths of block devices. */
  disks: readonly string[];
  pci: readonly string[];
  bridges: readonly string[];
}

/** `root`: for tests, a folder with another machine's `dev`, `etc`, `proc`, `sys` and `var`. */
export async function lookAtHost({ uuid, disks, pci, bridges }: Wanted, root = ''): Promise<Host> {
  const found = await Promise.all(disks.map(async path => [path, await lookAtDisk(path, root)] as const));
  const text = (path: string) => read(`${root}${path}`);
  return {
    cpuinfo: text('/proc/cpuinfo') ?? '',
    disks: new Map(found.flatMap(([path, disk]) => (disk ? [[path, disk] as const] : []))),
    classes: known(pci, address => text(`/sys/bus/pci/devices/${address}/class`)?.trim() ?? null),
    bridgeDelays: known(bridges, name => delay(`${root}/sys/class/net/${basename(name)}/bridge`)),
    stoppers: [...libvirtGuests(root), ...(uuid === null ? [] : docker(uuid, root))],
    graphicsGuarded: guarded(text('/etc/libvirt/qemu.conf')),
  };
}

function known<T>(names: readonly string[], look: (name: string) => T | null): ReadonlyMap<string, T> {
  return new Map(
    names.flatMap(name => [look(name)].flatMap(value => (value === null ? [] : [[name, value] as const]))),
  );
}

async function lookAtDisk(path: string, root: string): Promise<HostDisk | null> {
  const device = orNull(() => fs.realpathSync(`${root}${path}`));
  if (device === null) return null;
  const name = basename(device);
  const folder = `${root}/sys/class/block/${name}`;
  const parts = names(folder).filter(part => fs.existsSync(`${folder}/${part}/partition`));
  const blocks = new Map([[name, folder], ...parts.map(part => [part, `${folder}/${part}`] as const)]);
  const usedBy = holder(blocks) ?? mountPoint(blocks, root) ?? (await claimed(device));
  return { usedBy, byId: byId(device, root), identity: identity(folder) };
}

/** The disk and its partitions, with their folders in sysfs. */
type Blocks = ReadonlyMap<string, string>;

/** Of SCSI and ATA, NVMe, device mapper; a partition is that of its disk. */
function identity(folder: string): string | null {
  const own = ['device/wwid', 'wwid', 'dm/uuid', '../device/wwid', '../wwid'];
  const [id] = own.flatMap(name => read(`${folder}/${name}`)?.trim() || []);
  return id === undefined ? null : hash('sha256', `${id} ${read(`${folder}/partition`) ?? ''}`).slice(0, 32);
}

/** md, LVM, dm-crypt, multipath, bcache: all that is assembled from it. */
function holder(blocks: Blocks): string | null {
  const holders = blocks
    .values()
    .flatMap(folder => names(`${folder}/holders`).map(each => `${folder}/holders/${each}`));
  const { value: first } = holders.next();
  if (first === undefined) return null;
  const mapped = read(`${first}/dm/name`)?.trim();
  return `is a part of /dev/${mapped ? `mapper/${mapped}` : basename(first)}`;
}

/** By the device's number; btrfs has a number of its own, and names the device. */
function mountPoint(blocks: Blocks, root: string): string | null {
  const numbers = new Set([...blocks.values()].map(folder => read(`${folder}/dev`)?.trim()));
  const own = (path = '') => path.startsWith('/dev/') && blocks.has(basename(path));
  if (
    read(`${root}/proc/swaps`)
      ?.split('\n')
      .some(line => own(line.split(/\s/)[0]))
  )
    return 'is swap';
  // The first process has the mounts of the host, even where this one is in a container that shares its processes.
  const mounts = read(`${root}/proc/1/mountinfo`) ?? read(`${root}/proc/self/mountinfo`) ?? '';
  const found = mounts
    .split('\n')
    .find(line => line !== '' && (numbers.has(line.split(' ')[2]) || own(/ - \S+ (\S+)/.exec(line)?.[1])));
  return found === undefined ? null : `is mounted at ${found.split(' ')[4]}`;
}

/** Opened for one alone, as file systems, md, LVM and ZFS do; QEMU does not. */
async function claimed(device: string): Promise<string | null> {
  const claim = async () => {
    const file = await open(device, fs.constants.O_RDONLY | fs.constants.O_EXCL | fs.constants.O_NONBLOCK);
    await file.close();
    return null;
  };
  const claiming = claim().catch((reason: NodeJS.ErrnoException) => reason);
  const error = await inTime(claiming, 2_000, null);
  return error?.code === 'EBUSY' ? 'is held by the host, as a disk of a ZFS pool is' : null;
}

/** The names that people know, by their makers, come before other ones. */
const makers = ['ata-', 'nvme-', 'scsi-', 'usb-', ''];

function byId(device: string, root: string): string | null {
  const folder = `${root}/dev/disk/by-id`;
  const own = names(folder).filter(name => orNull(() => fs.realpathSync(`${folder}/${name}`)) === device);
  const best = makers.flatMap(prefix => own.filter(name => name.startsWith(prefix)))[0];
  return best === undefined ? null : `/dev/disk/by-id/${best}`;
}

/** Only with STP a port first listens and learns (br_make_forwarding in net/bridge/br_stp.c). In hundredths. */
function delay(folder: string): number | null {
  const [stp, hundredths] = [read(`${folder}/stp_state`), read(`${folder}/forward_delay`)];
  if (stp === null || hundredths === null) return null;
  return stp.trim() === '0' ? 0 : (2 * Number(hundredths)) / 100;
}

function libvirtGuests(root: string): Host['stoppers'] {
  const file = read(`${root}/etc/default/libvirt-guests`) ?? read(`${root}/etc/sysconfig/libvirt-guests`);
  const value = (key: string) => new RegExp(`^\\s*${key}=["']?(\\w+)`, 'm').exec(file ?? '')?.[1];
  if (value('ON_SHUTDOWN') !== 'shutdown') return [];
  const seconds = Number(value('SHUTDOWN_TIMEOUT') ?? 300);
  // 0: as long as it takes.
  return seconds > 0 ? [{ who: 'libvirt-guests, SHUTDOWN_TIMEOUT', seconds }] : [];
}

/** Of a libvirt that runs in a container of Docker, with its QEMUs. */
function docker(uuid: string, root: string): Host['stoppers'] {
  const proc = `${root}/proc`;
  const pid = names(proc).find(name => /^\d+$/.test(name) && isQemu(read(`${proc}/${name}/cmdline`) ?? '', uuid));
  const [, id] = /docker[-/]([0-9a-f]{64})/.exec(read(`${proc}/${pid}/cgroup`) ?? '') ?? [];
  const config = id && read(`${root}/var/lib/docker/containers/${id}/config.v2.json`);
  if (!config) return [];
  const seconds = orNull(() => Number(JSON.parse(config).Config.StopTimeout ?? 10));
  return seconds === null ? [] : [{ who: `Docker, stop_grace_period of the container ${id.slice(0, 12)}`, seconds }];
}

function isQemu(cmdline: string, uuid: string): boolean {
  return /^\S*qemu/.test(cmdline) && cmdline.split('\0').includes(uuid);
}

function guarded(conf: string | null): boolean | null {
  return conf === null ? null : /^\s*(vnc|spice)_(password|sasl|tls_x509_verify)\s*=\s*("[^"]|1)/m.test(conf);
}

function read(path: string): string | null {
  return orNull(() => fs.readFileSync(path, 'utf8'));
}

function names(folder: string): string[] {
  return orNull(() => fs.readdirSync(folder)) ?? [];
}

/** Hashes of what the disks of each VM are, by the VM's key and the disk's source, as when DSM was last up. */
const schema = z.record(z.string(), z.record(z.string(), z.string()));

export type KnownDisks = z.infer<typeof schema>;

export function disksStore(folder: string, logger: Logger): Store<KnownDisks> {
  return new Store({ path: join(folder, 'disks.json'), empty: {}, schema, logger });
}
