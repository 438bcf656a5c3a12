import { join } from 'node:path';
import { mib } from '../doctor/facts.ts';
import type { CallOptions } from '../libvirt/calls.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { errorCode, unlessRefused } from '../libvirt/errors.ts';
import { child, content, parseXml, text } from '../vm/xml.ts';

/** The volumes that a new domain needs, and whether they can be made. Changes nothing. */

export interface NewVolume {
  pool: string;
  name: string;
  /** Where it will be on libvirt's machine. */
  path: string;
  bytes: number;
  /** It takes up room only as it is written to. */
  sparse: boolean;
}

type WantedVolume = Pick<NewVolume, 'pool' | 'name' | 'bytes'>;

/** Types of pools whose volumes are at `TARGET/NAME`; those that are files are sparse. */
const sparseTypes: Readonly<Record<string, boolean>> = { dir: true, fs: true, netfs: true, logical: false, zfs: false };

/** Where the volumes will be; or why one cannot be made, a sentence. */
export async function planVolumes(
  { storage }: Pick<Libvirt, 'storage'>,
  wanted: readonly WantedVolume[],
  call: CallOptions,
): Promise<{ volumes: readonly NewVolume[]; refusals: readonly string[] }> {
  const plans = [...Map.groupBy(wanted, ({ pool }) => pool)].map(async ([name, own]) => {
    const pool = await unlessRefused(storage.poolByName(name, call), null, errorCode.noStoragePool);
    if (!pool) return [`libvirt has no storage pool ${name}: \`virsh pool-list --all\` shows those that are there.`];
    const [{ state, available }, xml] = await Promise.all([storage.poolInfo(pool, call), storage.poolXml(pool, call)]);
    if (state !== running) return [`The storage pool ${name} is not active: \`virsh pool-start ${name}\`.`];
    const definition = parseXml(xml, 'pool');
    const type = text(definition, '@type') ?? '';
    const sparse = sparseTypes[type];
    const target = content(child(definition, 'target'), 'path');
    if (sparse === undefined || !target) return [`No disk can be made in the storage pool ${name}, of type ${type}.`];
    const needed = own.reduce((sum, { bytes }) => sum + bytes, 0);
    if (needed > available)
      return [`The disks in the storage pool ${name} need ${mib(needed)}; ${mib(available)} are free.`];
    await storage.refreshPool(pool, call);
    return Promise.all(
      own.map(async volume => {
        const path = join(target, volume.name);
        const there = await unlessRefused(storage.volumeByPath(path, call), null, errorCode.noStorageVolume);
        return there ? `There is a volume ${path} already: nothing is ever replaced.` : { ...volume, path, sparse };
      }),
    );
  });
  const all = (await Promise.all(plans)).flat();
  const paths = all.flatMap(each => (typeof each === 'string' ? [] : [each.path]));
  if (new Set(paths).size < paths.length) all.push('Two disks have one `name` in one pool.');
  return {
    volumes: all.filter(each => typeof each !== 'string'),
    refusals: all.filter(each => typeof each === 'string'),
  };
}

/** `virStoragePoolState` */
const running = 2;
