import { afterAll, describe, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { storageContract } from './storage.ts';

const daemon = await FakeLibvirtd.listen();
afterAll(() => daemon.close());

storageContract({
  name: 'the fake’s storage',
  open: ({ readOnly } = { readOnly: false }) =>
    Libvirt.open({ uri: parseUri(readOnly ? daemon.readOnlyUri : daemon.uri), readOnly }),
  names: async () => daemon.storage.pools.map(({ name }) => name),
});

describe('without its storage driver', () => {
  test('every call is code 3', async () => {
    await using bare = await FakeLibvirtd.listen({ storageDriver: false });
    await using client = await Libvirt.open({ uri: parseUri(bare.uri) });
    await expect(client.storage.volumeByPath('/x')).rejects.toMatchObject({ name: 'LibvirtError', code: 3 });
    await expect(client.storage.createPool('<pool/>')).rejects.toMatchObject({ code: 3 });
  });
});
