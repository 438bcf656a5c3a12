/** Where new volumes will be. What cannot be made is in the tests of `create`. */
import { expect, test } from 'vitest';
import { planVolumes } from '../../src/definition/create.ts';
import type { Libvirt } from '../../src/libvirt/client.ts';
import { errorCode, LibvirtError } from '../../src/libvirt/errors.ts';

test('in a pool whose path is written with entities', async () => {
  const none = new LibvirtError(
    { code: errorCode.noStorageVolume, domain: 18, message: null },
    'storageVolLookupByPath',
  );
  const xml = "<pool type='dir'><target><path>/Tom &amp; Ann&apos;s &lt;disks&gt; &amp;lt;</path></target></pool>";
  const storage = {
    poolByName: async () => ({ name: 'odd', uuid: '' }),
    poolInfo: async () => ({ state: 2, capacity: 9, allocation: 0, available: 9 }),
    poolXml: async () => xml,
    refreshPool: async () => {},
    volumeByPath: () => Promise.reject(none),
  };
  const client = { storage } as unknown as Pick<Libvirt, 'storage'>;
  const { volumes, refusals } = await planVolumes(client, [{ pool: 'odd', name: 'one', bytes: 1 }], {});
  expect(refusals).toEqual([]);
  expect(volumes[0]?.path).toBe("/Tom & Ann's <disks> &lt;/one");
});
