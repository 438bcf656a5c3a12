import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { mib } from '../doctor/facts.ts';
import type { CallOptions } from '../libvirt/calls.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { errorCode, isLibvirtError, unlessRefused } from '../libvirt/errors.ts';
import type { VolumeRef } from '../libvirt/structs.ts';
import type { Logger } from '../util/logger.ts';
import { orNull } from '../util/or-null.ts';
import { makeFolder, syncFolder } from '../util/replace-file.ts';
import { child, content, escaped, parseXml, text } from '../vm/xml.ts';

/**
 * Makes the volumes of a new domain and defines it: all of it, or nothing. What it is about to make is in a journal
 * first, so that a kill -9 leaves nothing that nobody knows of. Only what this run has made itself is ever removed.
 */

const schema = z.object({ uuid: z.string(), volumes: z.array(z.object({ pool: z.string(), path: z.string() })) });

export function journalOf(dataDir: string, key: string): string {
  return join(dataDir, 'create', `${key}.json`);
}

/** Milliseconds: a pool may write to all of a volume. */
const patience = 3_600_000;

export interface Creation {
  xml: string;
  uuid: string;
  volumes: readonly NewVolume[];
  /** Path of the journal. */
  journal: string;
}

/**
 * Rejects with `EEXIST` while there is a journal; as libvirt's calls do, and then the volumes are removed again if
 * libvirt has refused. If the connection is lost, it is not known what was done, and the journal stays.
 */
export async function define(client: Libvirt, { xml, uuid, volumes, journal }: Creation): Promise<void> {
  const { storage } = client;
  const folder = join(journal, '..');
  await makeFolder(folder);
  await writeFile(journal, `${JSON.stringify({ uuid, volumes })}\n`, { flag: 'wx', mode: 0o600, flush: true });
  await syncFolder(folder);
  const made: VolumeRef[] = [];
  try {
    for (const volume of volumes) {
      const pool = await storage.poolByName(volume.pool);
      made.push(await storage.createVolume(pool, volumeXml(volume), { timeout: patience }));
    }
    // Of an UUID that nobody has: libvirt itself refuses a name that is taken, and can replace nothing.
    await client.define(xml);
  } catch (error) {
    if (!isLibvirtError(error)) throw error;
    for (const volume of made) {
      await storage.deleteVolume(volume).catch(reason => {
        throw new Error(`${volume.key} was made and cannot be removed: ${reason.message}`, { cause: error });
      });
    }
    await rm(journal, { force: true });
    throw error;
  }
  await rm(journal, { force: true });
}

/** Paths of volumes that an earlier run has left, or may have; none: there is none, and then its journal goes. */
export async function leftBehind(client: Libvirt, journal: string, call: CallOptions): Promise<readonly string[]> {
  const left = await journaled(journal);
  // One that is cut off was written before anything was made.
  if (!left) await rm(journal, { force: true }).catch(() => {});
  if (!left) return [];
  const defined = await unlessRefused(client.domainByUuid(left.uuid, call), null, errorCode.noDomain);
  const there = left.volumes.map(async ({ pool, path }) => {
    await client.storage.refreshPool(await client.storage.poolByName(pool, call), call);
    return unlessRefused(client.storage.volumeByPath(path, call), null, errorCode.noStorageVolume);
  });
  // Of a pool that cannot be asked, nothing is known.
  const known = await Promise.allSettled(defined ? [] : there);
  const paths = left.volumes.map(({ path }) => path).filter((_, nth) => known[nth] && !isGone(known[nth]));
  if (paths.length === 0) await rm(journal, { force: true });
  return paths;
}

function isGone(look: PromiseSettledResult<unknown>): boolean {
  return look.status === 'fulfilled' && look.value === null;
}

/** At a bridge's start: of a `create` that was interrupted. */
export async function tellUnfinished(dataDir: string, vms: readonly { key: string }[], logger: Logger): Promise<void> {
  for (const { key: vm } of vms) {
    const volumes = (await journaled(journalOf(dataDir, vm)))?.volumes.map(({ path }) => path);
    const words = 'a create was interrupted; `dsm2mqtt create` says what it left';
    if (volumes) logger.warn({ event: 'create.unfinished', vm, volumes }, words);
  }
}

/** Null: there is no journal, or one that was cut off before anything was made. */
async function journaled(journal: string): Promise<z.infer<typeof schema> | null> {
  const text = await readFile(journal, 'utf8').catch(() => '');
  return orNull(() => schema.parse(JSON.parse(text)));
}

function volumeXml({ name, bytes, sparse }: NewVolume): string {
  const allocation = sparse ? '<allocation>0</allocation>' : '';
  return `<volume><name>${escaped(name)}</name><capacity unit='bytes'>${bytes}</capacity>${allocation}</volume>`;
}

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
