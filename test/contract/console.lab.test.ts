/** A console on a real libvirtd: libvirt's test driver has none, so the guest gets a pty. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { parseUri } from '../../src/libvirt/uri.ts';
import { address, guest, inLab, libvirtd, virsh } from '../lab/lab.ts';
import { consoleContract } from './console.ts';

let original: string;

/** The definition, for the next start. */
async function define(xml: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'define-'));
  await writeFile(join(folder, 'dsm.xml'), xml);
  await virsh('define', join(folder, 'dsm.xml'));
  await rm(folder, { recursive: true });
}

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  original = await virsh('dumpxml', '--inactive', address.domain);
  await guest.off();
  await define(
    original
      .replace(/<serial type='file'>\s*<source [^>]*>/, "<serial type='pty'>")
      .replace(/<console type='file'>[\s\S]*?<\/console>/, ''),
  );
});

afterAll(async () => {
  if (!original) return;
  await guest.off();
  await define(original);
});

consoleContract({
  name: 'a real console',
  uri: parseUri(`qemu+unix:///system?socket=${address.socket}`),
  domain: address.domain,
  start: () => guest.start(),
  write: async line => {
    const { code, output } = await guest.run(`echo '${line}' >/dev/ttyS0`);
    if (code !== 0) throw new Error(output);
  },
  stop: () => guest.off(),
  daemon: libvirtd,
});
