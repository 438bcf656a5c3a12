import { dirname, isAbsolute } from 'node:path';
import type { Config } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { errorCode, unlessRefused } from '../libvirt/errors.ts';
import type { VolumeRef } from '../libvirt/structs.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Watch } from '../vm/watch.ts';

/** A loader's image as libvirt's storage has it, or will have it. */
export interface Image {
  /** A file's path. */
  key: string;
  /** Null: no active pool has its folder. */
  pool: string | null;
  volume: VolumeRef | null;
}

/** Of the loaders whose image is a volume; null: libvirt names no path. */
export async function imagesOf(
  { storage }: Libvirt,
  watch: Pick<Watch, 'target'>,
  vms: Config['vms'],
): Promise<ReadonlyMap<VmKey, Image | null>> {
  const found = vms.map(async ({ key, loader, create }) => {
    if (loader?.image.way !== 'volume') return [];
    const disks = watch.target(key)?.domain.hardware.disks ?? [];
    const path = disks.find(({ role }) => role === 'loader')?.source ?? create?.image ?? '';
    return [[key, isAbsolute(path) ? await imageAt(storage, path) : null] as const];
  });
  return new Map((await Promise.all(found)).flat());
}

async function imageAt(storage: Libvirt['storage'], path: string): Promise<Image> {
  const { noStorageVolume, noStoragePool, noSupport } = errorCode;
  const volume = await unlessRefused(storage.volumeByPath(path), null, noStorageVolume, noSupport);
  if (volume) return { key: volume.key, pool: volume.pool, volume };
  const pool = await unlessRefused(storage.poolByTarget(dirname(path)), null, noStoragePool, noSupport);
  return { key: path, pool: pool?.name ?? null, volume };
}
