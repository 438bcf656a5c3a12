import { open } from 'node:fs/promises';
import { parseDomainXml } from '../vm/domain-xml.ts';
import { blockDevices, type Copy, nvramOf } from './copies.ts';

/** What bringing a copy back takes, besides libvirt. */

/** Its disks that are not there, or are others than then: a sentence each. `isThere`: of the path of a file. */
export async function strangeDisks(
  { xml, disks }: Copy,
  isThere: (path: string) => Promise<boolean>,
  look = blockDevices,
): Promise<string[]> {
  const now = await look(xml);
  const sentences = parseDomainXml(xml).disks.map(async ({ target, source }) => {
    if (!source?.startsWith('/')) return [];
    const device = now.get(source);
    if (!device && !(await isThere(source))) return [`${source}, the source of the disk ${target}, is not there.`];
    const then = disks[source];
    if (then === undefined || device?.identity === then) return [];
    return [`${source}, the source of the disk ${target}, is not the disk that it was then.`];
  });
  return (await Promise.all(sentences)).flat();
}

/**
 * The copy's XML with the passwords of the present definition, as libvirt tells it with `secure`: it hides them in a copy,
 * and that there are any. `open`: the elements that get none.
 */
export function withPasswords(xml: string, present: string | null): { xml: string; open: string[] } {
  const open: string[] = [];
  const whole = xml.replaceAll(/<graphics type='(vnc|spice)'(?![^>]* passwd=)/g, (head, type: string) => {
    const attributes = `( passwd='[^']*'(?: passwdValidTo='[^']*')?(?: connected='[^']*')?)`;
    const now = new RegExp(`<graphics type='${type}'[^>]*?${attributes}`).exec(present ?? '')?.[1];
    if (now === undefined) open.push(`devices/graphics[${type}]`);
    return head + (now ?? '');
  });
  return { xml: whole, open };
}

/** In place: owner and mode of the file count. Rejects as writing does; does nothing if none was kept. */
export async function putNvramBack(copy: Copy): Promise<void> {
  const bytes = nvramOf(copy);
  if (!bytes || !copy.nvram) return;
  const { path } = copy.nvram;
  await using file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return open(path, 'wx', 0o600);
  });
  await file.writeFile(bytes);
  await file.truncate(bytes.length);
  await file.sync();
}
