/** The keys that go to a menu nobody sees. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { chooseEntry } from '../../src/loader/menu-keys.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import type { FakeDomain } from '../fakes/libvirtd/domain.ts';

const [home, down, enter] = [[102], [108], [28]];
/** Twenty-four beats. */
const fast = { for: 120, every: 5, apart: 1 };
const never = new AbortController().signal;

let daemon: FakeLibvirtd;
let domain: FakeDomain;
let client: Libvirt;
beforeEach(async () => {
  daemon = await FakeLibvirtd.listen();
  domain = daemon.define();
  client = await Libvirt.open({ uri: parseUri(daemon.uri), dial: daemon.dial });
});
afterEach(async () => {
  await client.close();
  await daemon.close();
});

test.each([
  [0, [home, enter]],
  [2, [home, down, down, enter]],
] as const)('entry %i: HOME alone for long, then whole rows, time and again', async (index, row) => {
  domain.start();
  await chooseEntry(client, domain.ref, index, { ...fast, signal: never });
  const waiting = Array(15).fill(home);
  expect(domain.keys).toEqual([...waiting, ...row, home, home, ...row, home, home, ...row, home, home]);
  const [press] = daemon.callsOf('domainSendKey');
  expect(press?.args).toMatchObject({ codeset: 0, holdTime: 50, flags: 0 });
});

test('the signal is its end, in the middle of a row as before the first key', async () => {
  domain.start();
  const chosen = new AbortController();
  const watched = {
    sendKeys: async (...args: Parameters<Libvirt['sendKeys']>) => {
      await client.sendKeys(...args);
      if (domain.keys.at(-1)?.[0] === down[0]) chosen.abort();
    },
  };
  await chooseEntry(watched, domain.ref, 2, { ...fast, for: 60_000, signal: chosen.signal });
  expect(domain.keys.slice(15)).toEqual([home, down]);
  await chooseEntry(client, domain.ref, 2, { ...fast, signal: chosen.signal });
  expect(domain.keys).toHaveLength(17);
});

test('of a domain that is off, or goes off: 55', async () => {
  const off = expect.objectContaining({ name: 'LibvirtError', code: 55 });
  await expect(chooseEntry(client, domain.ref, 2, { ...fast, signal: never })).rejects.toEqual(off);
  domain.start();
  const choosing = chooseEntry(client, domain.ref, 2, { ...fast, for: 60_000, signal: never });
  await expect.poll(() => domain.keys.length, { interval: 1 }).toBeGreaterThan(3);
  domain.destroy();
  await expect(choosing).rejects.toEqual(off);
});
