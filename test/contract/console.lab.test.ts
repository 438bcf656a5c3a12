/** A console on a real libvirtd: libvirt's test driver has none, so the guest gets a pty. */
import { afterAll, beforeAll } from 'vitest';
import { parseUri } from '../../src/libvirt/uri.ts';
import { redefine, withPty } from '../lab/definition.ts';
import { address, guest, inLab, libvirtd } from '../lab/lab.ts';
import { consoleContract } from './console.ts';

let original: AsyncDisposable;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  original = await redefine(withPty);
});

afterAll(() => original?.[Symbol.asyncDispose]());

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
