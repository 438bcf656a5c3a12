import { access, constants, readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { within } from '../../util/deadline.ts';
import { probeTcp } from '../../util/tcp-probe.ts';
import { formatPci, type StorageController } from '../../vm/controllers.ts';
import { readBootPartition } from '../image/boot-entry.ts';
import { readHome } from '../image/home.ts';
import type { Known } from './finding.ts';

/** Facts from outside of libvirt. A test replaces them. */
export interface World {
  fetch(url: string, init: { signal: AbortSignal }): Promise<Response>;
  reach(host: string, signal: AbortSignal): Promise<Known>;
  cpuinfo(): Promise<string>;
  /** A device's class as sysfs writes it, `0x010601`. `address`: as lspci -D writes it. */
  pciClass(address: string, signal: AbortSignal): Promise<string>;
  menu: typeof readBootPartition;
  home: typeof readHome;
}

/** Milliseconds. */
const patience = { server: 5_000, folder: 10_000, device: 2_000 };

export const realWorld: World = {
  fetch: (url, init) => fetch(url, init),
  reach: async (host, signal) => {
    const { answer, code } = await probeTcp(host, 443, { timeout: patience.server, signal });
    if (answer === 'open') return 'yes';
    return answer === 'refused' || code === 'ENOTFOUND' ? 'no' : 'unknown';
  },
  cpuinfo: () => readFile('/proc/cpuinfo', 'utf8'),
  pciClass: (address, signal) => readFile(`/sys/bus/pci/devices/${address}/class`, { encoding: 'utf8', signal }),
  menu: readBootPartition,
  home: readHome,
};

/** `no` if one cannot be reached, `unknown` if one does not answer. Rejects only with the signal's reason. */
export async function sourcesReachable(
  { reach }: Pick<World, 'reach'>,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<Known> {
  const ask = (host: string) => (limit: AbortSignal) => reach(host, limit).catch((): Known => 'unknown');
  const answers = await Promise.all(servers.map(host => within(patience.server, signal, ask(host), 'unknown')));
  return (['no', 'unknown'] as const).find(answer => answers.includes(answer)) ?? 'yes';
}

/** The folder for backups of an image, which may not exist yet. */
export interface BackupFolder {
  /** The folder itself, or its nearest parent that exists; null: not known. */
  nearest: string | null;
  /** Why nothing can be written there, a sentence; null: nothing is known to prevent it. */
  trouble: string | null;
}

/** A network file system may hang. Rejects only with the signal's reason. */
export function inspectFolder(folder: string, signal: AbortSignal): Promise<BackupFolder> {
  const trouble = `${folder} does not answer within ${patience.folder / 1_000} s.`;
  return within(patience.folder, signal, () => lookAt(resolve(folder)), { nearest: null, trouble });
}

async function lookAt(folder: string): Promise<BackupFolder> {
  try {
    if (!(await stat(folder)).isDirectory()) return { nearest: null, trouble: `${folder} is not a folder.` };
    await access(folder, constants.W_OK | constants.X_OK);
    return { nearest: folder, trouble: null };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const above = dirname(folder);
    if (code === 'ENOENT' && above !== folder) return lookAt(above);
    return { nearest: null, trouble: `${folder} cannot be written: ${message}.` };
  }
}

/**
 * Adds what this machine knows of passed-through devices: SATA controllers become `ahci`, and devices that are
 * certainly no controllers are left out. Unknown ones stay. Rejects with the signal's reason.
 */
export async function withClasses(
  { pciClass }: Pick<World, 'pciClass'>,
  controllers: readonly StorageController[],
  signal: AbortSignal,
): Promise<readonly StorageController[]> {
  const looked = controllers.map(async controller => {
    const { host } = controller;
    if (host === null) return controller;
    const look = (limit: AbortSignal) => pciClass(formatPci(host), limit).catch(() => '');
    return judge(controller, await within(patience.device, signal, look, ''));
  });
  return (await Promise.all(looked)).flat();
}

/** By the tables of PCI: class 01 is storage; of its subclasses 06 is SATA, 00 SCSI, 07 SAS, 08 NVMe. */
function judge(controller: StorageController, text: string): StorageController | [] {
  const [, base, subclass = ''] = /^0x([0-9a-f]{2})([0-9a-f]{2})/i.exec(text) ?? [];
  if (base === '01' && subclass === '06') return { ...controller, kind: 'ahci' };
  // RAID and IDE controllers may be AHCI controllers: the kernel knows some by their vendors' IDs.
  const none = base !== undefined && (base !== '01' || ['00', '07', '08'].includes(subclass));
  return none ? [] : controller;
}
