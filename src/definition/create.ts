import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { CallOptions } from '../libvirt/calls.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { errorCode, isLibvirtError, unlessRefused } from '../libvirt/errors.ts';
import type { VolumeRef } from '../libvirt/structs.ts';
import type { Logger } from '../util/logger.ts';
import { orNull } from '../util/or-null.ts';
import { syncFolder } from '../util/replace-file.ts';
import { escaped } from '../vm/xml.ts';
import type { NewVolume } from './draft-volumes.ts';

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
  await mkdir(folder, { recursive: true, mode: 0o700 });
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
