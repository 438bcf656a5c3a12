/** The guest's definition at libvirt. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { address, guest, virsh } from './lab.ts';
import { scratch } from './loader/image.ts';

/** Another definition for the next start; its end turns the guest off and puts the old one back. */
export async function redefine(change: (xml: string) => string): Promise<AsyncDisposable> {
  const before = await virsh('dumpxml', '--inactive', address.domain);
  await define(change(before));
  return {
    async [Symbol.asyncDispose]() {
      await guest.off();
      await define(before);
    },
  };
}

/** A serial port with which people can speak, instead of a file. */
export function withPty(xml: string): string {
  return xml
    .replace(/<serial type='file'>\s*<source [^>]*>/, "<serial type='pty'>")
    .replace(/<console type='file'>[\s\S]*?<\/console>/, '');
}

/** The same, and a file that only root may read: what libvirt's virtlogd writes. */
export async function withLogOfRoot(): Promise<(xml: string) => string> {
  await writeFile(address.serialLog, '');
  await chmod(address.serialLog, 0o600);
  return xml => withPty(xml).replace("<serial type='pty'>", `$&<log file='${address.serialLog}'/>`);
}

async function define(xml: string): Promise<void> {
  await using folder = await scratch();
  const file = join(folder.path, 'domain.xml');
  await writeFile(file, xml);
  await virsh('define', file);
}
