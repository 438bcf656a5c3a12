/** A real GRUB's menu by keys: `scripts/lab --name keys vitest run --project lab test/loader/menu-keys.lab.test.ts`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { chooseEntry } from '../../src/loader/menu-keys.ts';
import { address, guest, inLab } from '../lab/lab.ts';
import { entries, loader } from '../lab/loader.ts';

/** Of a test that boots, in milliseconds, on a machine that has other things to do. */
const boots = 300_000;

let client: Libvirt;
let original: AsyncDisposable;

beforeAll(async () => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
  await guest.off();
  original = await loader.keep();
  client = await Libvirt.open({ uri: parseUri(`qemu+unix:///system?socket=${address.socket}`) });
});

afterAll(async () => {
  await client?.close();
  if (inLab()) await guest.off();
  await original?.[Symbol.asyncDispose]();
});

test(
  'the builder, though GRUB remembers DSM and would wait five seconds',
  async () => {
    await loader.menu(5);
    await loader.arm('dsm');
    const domain = await client.start(await client.domainByName(address.domain));
    const answers = new AbortController();
    const choosing = chooseEntry(client, domain, 2, { signal: answers.signal });
    expect(await loader.booted(boots)).toBe('builder');
    answers.abort();
    await choosing;
    await guest.off();
    expect(await loader.armed()).toBe(entries.builder);
  },
  boots,
);

test('of a domain that is off: 55', async () => {
  const choosing = chooseEntry(client, await client.domainByName(address.domain), 2, {
    signal: AbortSignal.timeout(10_000),
  });
  await expect(choosing).rejects.toMatchObject({ name: 'LibvirtError', code: 55 });
});
