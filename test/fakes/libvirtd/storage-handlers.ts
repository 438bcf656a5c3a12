import { refusals } from './refusal.ts';
import type { FakeStorage } from './storage.ts';
import type { Client, Handlers } from './types.ts';

const physical = 1;
const sparse = 1;

export const storageHandlers: Pick<
  Handlers,
  Extract<keyof Handlers, `storage${string}`> | 'connectListAllStoragePools'
> = {
  connectListAllStoragePools: client => {
    const pools = storage(client, 'virConnectListAllStoragePools').list();
    return { pools, count: pools.length };
  },
  storagePoolCreateXml: (client, { xml }) => ({ pool: writable(client, 'virStoragePoolCreateXML').create(xml) }),
  storagePoolDestroy: (client, { pool }) => writable(client, 'virStoragePoolDestroy').destroy(pool),
  storagePoolRefresh: (client, { pool }) => writable(client, 'virStoragePoolRefresh').refresh(pool),
  storagePoolLookupByTargetPath: (client, { path }) => ({
    pool: storage(client, 'virStoragePoolLookupByTargetPath').byTarget(path),
  }),
  storagePoolLookupByName: (client, { name }) => ({ pool: storage(client, 'virStoragePoolLookupByName').byName(name) }),
  storagePoolGetXmlDesc: (client, { pool }) => ({ xml: storage(client, 'virStoragePoolGetXMLDesc').xml(pool) }),
  storagePoolGetInfo: (client, { pool }) => storage(client, 'virStoragePoolGetInfo').space(pool),
  storageVolCreateXml: (client, { pool, xml }) => ({
    volume: writable(client, 'virStorageVolCreateXML').createVolume(pool, xml),
  }),
  storageVolDelete: (client, { volume }) => writable(client, 'virStorageVolDelete').deleteVolume(volume),
  storageVolLookupByPath: (client, { path }) => ({ volume: storage(client, 'virStorageVolLookupByPath').byPath(path) }),
  storageVolGetInfo: (client, { volume }) => {
    const { size, allocation } = storage(client, 'virStorageVolGetInfo').info(volume);
    return { type: 0, capacity: size, allocation };
  },
  storageVolGetInfoFlags: (client, { volume, flags }) => {
    const { size, allocation } = storage(client, 'virStorageVolGetInfoFlags').info(volume);
    return { type: 0, capacity: size, allocation: (flags & physical) === 0 ? allocation : size };
  },
  storageVolDownload: (client, { volume, offset, length, flags }) =>
    writable(client, 'virStorageVolDownload').download(volume, offset, length, { sparse: (flags & sparse) !== 0 }),
  storageVolUpload: (client, { volume, offset, length }) =>
    writable(client, 'virStorageVolUpload').upload(volume, offset, length),
};

function storage(client: Client, procedure: string): FakeStorage {
  if (!client.daemon.options.storageDriver) throw refusals.noStorage(procedure);
  return client.daemon.storage;
}

function writable(client: Client, procedure: string): FakeStorage {
  const found = storage(client, procedure);
  if (client.readOnly) throw refusals.readOnly(procedure);
  return found;
}
