import { readFile } from 'node:fs/promises';
import { within } from '../../util/deadline.ts';
import { formatPci, type StorageController } from '../../vm/controllers.ts';

/** Reads a device's class as sysfs writes it, `0x010601`. `address`: as lspci -D writes it. */
export type ReadClass = (address: string, signal: AbortSignal) => Promise<string>;

/** Milliseconds. */
const patience = 2_000;

/**
 * With what the host knows of devices that are passed through: SATA controllers are `ahci`, and what is surely none is
 * left out. What cannot be looked up stays as it is. Rejects with the signal's reason.
 */
export async function withClasses(
  controllers: readonly StorageController[],
  local: boolean,
  signal: AbortSignal,
  read: ReadClass = readClass,
): Promise<readonly StorageController[]> {
  if (!local) return controllers;
  const looked = controllers.map(async controller => {
    const { host } = controller;
    if (host === null) return controller;
    const look = (limit: AbortSignal) => read(formatPci(host), limit).catch(() => '');
    return judge(controller, await within(patience, signal, look, ''));
  });
  return (await Promise.all(looked)).flat();
}

/** By the tables of PCI: class 01 is storage; of its subclasses 06 is SATA, 00 SCSI, 07 SAS, 08 NVMe. */
function judge(controller: StorageController, text: string): StorageController | [] {
  const [, base, subclass = ''] = /^0x([0-9a-f]{2})([0-9a-f]{2})/i.exec(text) ?? [];
  if (base === '01' && subclass === '06') return { ...controller, kind: 'ahci' };
  // RAID and IDE controllers may be AHCI ones: the kernel knows some by their makers' numbers.
  const none = base !== undefined && (base !== '01' || ['00', '07', '08'].includes(subclass));
  return none ? [] : controller;
}

function readClass(address: string, signal: AbortSignal): Promise<string> {
  return readFile(`/sys/bus/pci/devices/${address}/class`, { encoding: 'utf8', signal });
}
