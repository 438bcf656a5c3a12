import { readFile, stat } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { type HostDisk, lookAtHost } from '../doctor/host.ts';
import { parseDomainXml } from '../vm/domain-xml.ts';
import { child, content, parseDomain, text } from '../vm/xml.ts';
import { type Kept, largestNvram } from './copies.ts';

/**
 * What a copy has beside the definition, as far as this process sees it. `local`: libvirt runs on this machine; `is`: the
 * loader in the image, in words, if it is known. Throws when the XML is none.
 */
export async function lookAtDefinition(xml: string, local: boolean, is: string | null = null): Promise<Kept> {
  const uuid = content(parseDomain(xml), 'uuid') ?? '';
  const image = parseDomainXml(xml).disks.find(({ role }) => role === 'loader')?.source;
  const [nvram, info, disks] = await Promise.all([
    nvramIn(xml, local),
    local && image?.startsWith('/') ? stat(image).catch(() => null) : null,
    local ? blockDevices(xml) : new Map<string, HostDisk>(),
  ]);
  const loader = info?.isFile() ? { bytes: info.size, modified: info.mtime.toISOString(), is } : null;
  const known = [...disks].flatMap(([path, { identity }]) => (identity === null ? [] : [[path, identity] as const]));
  return { at: new Date().toISOString(), uuid, xml, changed: [], nvram, loader, disks: Object.fromEntries(known) };
}

/** The block devices among its disks, by path; one that is not there is missing. */
export async function blockDevices(xml: string): Promise<ReadonlyMap<string, HostDisk>> {
  const paths = parseDomainXml(xml).disks.flatMap(({ source }) => (source?.startsWith('/dev/') ? [source] : []));
  return (await lookAtHost({ uuid: null, disks: paths, pci: [], bridges: [] })).disks;
}

async function nvramIn(xml: string, local: boolean): Promise<Kept['nvram']> {
  const domain = parseDomain(xml);
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
