import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as z from 'zod';
import { type HostDisk, lookAtHost } from '../doctor/host.ts';
import { orNull } from '../util/or-null.ts';
import { replaceFile } from '../util/replace-file.ts';
import { parseDomainXml } from '../vm/domain-xml.ts';
import { child, content, type Node, parseDomain, text } from '../vm/xml.ts';
import { changedElements, valuesOf } from './diff.ts';

/** The last definitions of each VM, a file each: `definitions/KEY/NUMBER.json` in `data_dir`. */

const schema = z.object({
  at: z.iso.datetime({ offset: true }),
  uuid: z.string(),
  /** As libvirt has it for the next start, without passwords. */
  xml: z.string(),
  /** Paths of the elements that differ from those of the copy before. */
  changed: z.array(z.string()),
  /** Null: the definition has none. Either gzip in base64, or why it is not kept. */
  nvram: z.object({ path: z.string(), bytes: z.string().nullable(), why: z.string().nullable() }).nullable(),
  /** The loader's image then. Null: it was not seen. */
  loader: z.object({ bytes: z.number(), modified: z.string(), is: z.string().nullable() }).nullable(),
  /** Hashes of what the block devices are, by their paths. */
  disks: z.record(z.string(), z.string()),
});
const file = z.object({ version: z.literal(1), value: schema });

export type Kept = z.infer<typeof schema>;
/** Numbers are never used again. */
export type Copy = Kept & { readonly number: number };

/** Copies of one VM. */
const deep = 20;
/** Bytes; none of a PC is larger. */
export const largestNvram = 16 * 2 ** 20;

/**
 * The oldest first. `damaged`: numbers of those that are truncated, or cannot be read. Rejects when the folder is there
 * and cannot be read.
 */
export async function readCopies(dataDir: string, key: string) {
  const folder = folderOf(dataDir, key);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const numbers = names.flatMap(name => (/^\d{1,9}\.json$/.test(name) ? Number.parseInt(name, 10) : []));
  const read = numbers.toSorted(ascending).map(async number => {
    const kept = parsed(await readFile(pathOf(folder, number), 'utf8').catch(() => ''));
    return kept ? { ...kept, number } : number;
  });
  const all = await Promise.all(read);
  return {
    copies: all.filter((each): each is Copy => typeof each !== 'number'),
    damaged: all.filter(each => typeof each === 'number'),
  };
}

/**
 * Keeps a copy if it differs from the last one; the oldest of too many goes. An equal one gets its NVRAM if that could
 * not be read before. `nvram`: another NVRAM is a difference too. Resolves to the copy that was written; null: none.
 * Rejects when nothing could be written.
 */
export async function keepCopy(
  dataDir: string,
  key: string,
  { changed: _, ...seen }: Kept,
  { nvram = false } = {},
): Promise<Copy | null> {
  const { copies, damaged } = await readCopies(dataDir, key);
  const last = copies.at(-1);
  const is = valuesOf(seen.xml);
  if (!is) throw new Error('what libvirt returned is no definition of a domain');
  const was = last ? valuesOf(last.xml) : null;
  const changed = was ? changedElements(was, is) : [];
  const numbers = [...copies.map(({ number }) => number), ...damaged].toSorted(ascending);
  const fills = last?.nvram?.bytes === null && typeof seen.nvram?.bytes === 'string';
  let copy: Copy = { ...seen, changed, number: (numbers.at(-1) ?? 0) + 1 };
  if (last && was && changed.length === 0) {
    if (fills) copy = { ...last, nvram: seen.nvram };
    else if (!nvram || sameNvram(last, seen)) return null;
  }
  const { number, ...value } = copy;
  const folder = folderOf(dataDir, key);
  await replaceFile(pathOf(folder, number), `${JSON.stringify({ version: 1, value })}\n`);
  const all = [...new Set([...numbers, number])];
  await Promise.all(all.slice(0, -deep).map(old => rm(pathOf(folder, old), { force: true })));
  return copy;
}

/** Its NVRAM; null: it was not kept. */
export function nvramOf({ nvram }: Pick<Kept, 'nvram'>): Buffer | null {
  if (typeof nvram?.bytes !== 'string') return null;
  return gunzipSync(Buffer.from(nvram.bytes, 'base64'), { maxOutputLength: largestNvram });
}

export function sameNvram(one: Pick<Kept, 'nvram'>, other: Pick<Kept, 'nvram'>): boolean {
  return (one.nvram?.bytes ?? null) === (other.nvram?.bytes ?? null);
}

function parsed(text: string): Kept | null {
  return orNull(() => {
    const { value } = file.parse(JSON.parse(text));
    nvramOf(value);
    return value;
  });
}

const ascending = (a: number, b: number) => a - b;
const folderOf = (dataDir: string, key: string) => join(dataDir, 'definitions', key);
const pathOf = (folder: string, number: number) => join(folder, `${number}.json`);

/**
 * What a copy has beside the definition, as far as this process sees it. `local`: libvirt runs on this machine; `is`: the
 * loader in the image, in words, if it is known. Throws when the XML is none.
 */
export async function lookAtDefinition(xml: string, local: boolean, is: string | null = null): Promise<Kept> {
  const domain = parseDomain(xml);
  const image = parseDomainXml(xml).disks.find(({ role }) => role === 'loader')?.source;
  const [nvram, info, disks] = await Promise.all([
    nvramIn(domain, local),
    local && image?.startsWith('/') ? stat(image).catch(() => null) : null,
    local ? blockDevices(xml) : new Map<string, HostDisk>(),
  ]);
  const loader = info?.isFile() ? { bytes: info.size, modified: info.mtime.toISOString(), is } : null;
  const known = [...disks].flatMap(([path, { identity }]) => (identity === null ? [] : [[path, identity] as const]));
  const uuid = content(domain, 'uuid') ?? '';
  return { at: new Date().toISOString(), uuid, xml, changed: [], nvram, loader, disks: Object.fromEntries(known) };
}

/** The block devices among its disks, by path; one that is not there is missing. */
export async function blockDevices(xml: string): Promise<ReadonlyMap<string, HostDisk>> {
  const paths = parseDomainXml(xml).disks.flatMap(({ source }) => (source?.startsWith('/dev/') ? [source] : []));
  return (await lookAtHost({ uuid: null, disks: paths, pci: [], bridges: [] })).disks;
}

async function nvramIn(domain: Node | undefined, local: boolean): Promise<Kept['nvram']> {
  const os = child(domain, 'os');
  // With automatic firmware, libvirt 9.0 names the file only while the domain runs.
  const usual = text(os, '@firmware') === 'efi' ? `/var/lib/libvirt/qemu/nvram/${content(domain, 'name')}_VARS.fd` : '';
  // Before libvirt 8.5 a path; now perhaps a source, too.
  const path = content(os, 'nvram')?.trim() || text(child(child(os, 'nvram'), 'source'), '@file') || usual;
  if (!path) return null;
  if (!local) return { path, bytes: null, why: 'libvirt runs on another machine' };
  try {
    const info = await stat(path);
    if (!info.isFile() || info.size > largestNvram) throw new Error(`${path} is no file of up to 16 MiB`);
    return { path, bytes: gzipSync(await readFile(path)).toString('base64'), why: null };
  } catch (error) {
    return { path, bytes: null, why: (error as Error).message };
  }
}
