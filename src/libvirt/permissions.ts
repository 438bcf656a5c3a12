import type { procedures } from './procedures.ts';

type Name = keyof typeof procedures;
/** A call, or one with a flag that needs more. */
export type CallName =
  | Name
  | `${'domainShutdownFlags' | 'domainReboot' | 'domainInterfaceAddresses'}:agent`
  | 'domainGetXmlDesc:secure';

/**
 * What libvirt's access control asks for before each call: the `@acl` lines of remote_protocol.x, written as the end of
 * polkit's actions, `org.libvirt.api.…`. Listings also leave out what the caller has no `getattr` or `read` of. Seen to
 * be so with libvirt 9.0 and 12.8.
 */
export const permissions = {
  connectOpen: ['connect.getattr'],
  connectGetType: ['connect.getattr'],
  connectGetVersion: ['connect.getattr'],
  connectGetCapabilities: ['connect.read'],
  domainGetXmlDesc: ['domain.read'],
  'domainGetXmlDesc:secure': ['domain.read', 'domain.read-secure'],
  domainGetAutostart: ['domain.read'],
  domainLookupByName: ['domain.getattr'],
  domainLookupByUuid: ['domain.getattr'],
  domainReboot: ['domain.init-control'],
  'domainReboot:agent': ['domain.init-control', 'domain.write'],
  domainResume: ['domain.suspend'],
  domainSetAutostart: ['domain.write'],
  domainSuspend: ['domain.suspend'],
  connectGetHostname: ['connect.getattr'],
  connectSupportsFeature: ['connect.getattr'],
  authList: [],
  authPolkit: [],
  storagePoolCreateXml: ['storage-pool.start', 'storage-pool.write'],
  storagePoolDestroy: ['storage-pool.stop'],
  storagePoolRefresh: ['storage-pool.refresh'],
  storagePoolLookupByName: ['storage-pool.getattr'],
  storagePoolGetInfo: ['storage-pool.read'],
  storagePoolGetXmlDesc: ['storage-pool.read'],
  storageVolCreateXml: ['storage-vol.create'],
  storageVolDelete: ['storage-vol.delete'],
  storageVolLookupByPath: ['storage-vol.getattr'],
  storageVolGetInfo: ['storage-vol.read'],
  interfaceLookupByName: ['interface.getattr'],
  domainIsPersistent: ['domain.read'],
  connectGetLibVersion: ['connect.getattr'],
  domainGetBlockInfo: ['domain.read'],
  domainCreateWithFlags: ['domain.start'],
  domainOpenConsole: ['domain.open-device'],
  storageVolUpload: ['storage-vol.data-write'],
  storageVolDownload: ['storage-vol.data-read'],
  domainScreenshot: ['domain.screenshot'],
  domainGetState: ['domain.read'],
  domainSendKey: ['domain.send-input'],
  domainDestroyFlags: ['domain.stop'],
  domainReset: ['domain.reset'],
  domainShutdownFlags: ['domain.init-control'],
  'domainShutdownFlags:agent': ['domain.init-control', 'domain.write'],
  domainPmWakeup: ['domain.pm-control'],
  connectListAllDomains: ['connect.search-domains'],
  domainSetMemoryStatsPeriod: ['domain.write'],
  domainEventRegister: ['connect.search-domains'],
  connectGetAllDomainStats: ['connect.search-domains'],
  domainDefineXmlFlags: ['domain.write', 'domain.save'],
  domainInterfaceAddresses: ['domain.read'],
  'domainInterfaceAddresses:agent': ['domain.read', 'domain.write'],
  storageVolGetInfoFlags: ['storage-vol.read'],
  nodeGetCpuStats: ['connect.read'],
  nodeGetMemoryStats: ['connect.read'],
  connectListAllStoragePools: ['connect.search-storage-pools'],
  storagePoolLookupByTargetPath: ['storage-pool.getattr'],
} as const satisfies Record<CallName, readonly `${string}.${string}`[]>;

/** What a start asks for besides, and `domainDestroyFlags`, if a NIC is on one of libvirt's networks or has a filter. */
export const ofNetworks = [
  ...(['network-port.create', 'network-port.delete'] as const),
  ...(['nwfilter-binding.create', 'nwfilter-binding.delete'] as const),
] as const;

/** `domain.start` */
export type Permission = (typeof permissions)[CallName][number] | (typeof ofNetworks)[number];
