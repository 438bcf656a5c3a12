import {
  cpuModel,
  domainRef,
  guestInterfaces,
  maxDomains,
  maxKeys,
  optionalText,
  poolRef,
  statsRecord,
  text,
  uuid,
  volumeRef,
} from './structs.ts';
import { array, bool, type Codec, int, none, optional, struct, uhyper, uint } from './xdr.ts';

/**
 * The calls that are made, with the numbers, argument and reply shapes of libvirt's remote_protocol.x. Numbers and
 * shapes are append-only there: none of these changed between libvirt 1.3.3 and 12.8;
 * `storageVolGetInfoFlags` came with 3.0, `storagePoolLookupByTargetPath` with 4.1.
 */
export interface Procedure<Args, Reply> {
  name: string;
  number: number;
  args: Codec<Args>;
  reply: Codec<Reply>;
}

const procedure = <Args, Reply>(
  name: string,
  number: number,
  args: Codec<Args>,
  reply: Codec<Reply>,
): Procedure<Args, Reply> => ({ name, number, args, reply });

const domainOnly = struct({ domain: domainRef });
const domainAndFlags = struct({ domain: domainRef, flags: uint });
const volumeRange = struct({ volume: volumeRef, offset: uhyper, length: uhyper, flags: uint });
/** Bytes; `type` is `virStorageVolType`, a `char` that takes a whole XDR word. */
const volumeInfo = struct({ type: int, capacity: uhyper, allocation: uhyper });

export const procedures = {
  connectOpen: procedure('connectOpen', 1, struct({ name: optionalText, flags: uint }), none),
  // Read in recordings and never sent: see `Libvirt.close`.
  connectClose: procedure('connectClose', 2, none, none),
  connectGetType: procedure('connectGetType', 3, none, struct({ type: text })),
  connectGetVersion: procedure('connectGetVersion', 4, none, struct({ version: uhyper })),
  nodeGetInfo: procedure(
    'nodeGetInfo',
    6,
    none,
    struct({
      model: cpuModel,
      memory: uhyper,
      cpus: int,
      mhz: int,
      nodes: int,
      sockets: int,
      cores: int,
      threads: int,
    }),
  ),
  domainGetXmlDesc: procedure('domainGetXmlDesc', 14, domainAndFlags, struct({ xml: text })),
  domainGetAutostart: procedure('domainGetAutostart', 15, domainOnly, struct({ autostart: bool })),
  domainGetInfo: procedure(
    'domainGetInfo',
    16,
    domainOnly,
    // `unsigned char` and `unsigned short` take a whole XDR word.
    struct({ state: uint, maxMemory: uhyper, memory: uhyper, vcpus: uint, cpuTime: uhyper }),
  ),
  domainLookupByName: procedure('domainLookupByName', 23, struct({ name: text }), struct({ domain: domainRef })),
  domainLookupByUuid: procedure('domainLookupByUuid', 24, struct({ uuid }), struct({ domain: domainRef })),
  domainReboot: procedure('domainReboot', 27, domainAndFlags, none),
  domainResume: procedure('domainResume', 28, domainOnly, none),
  domainSetAutostart: procedure('domainSetAutostart', 29, struct({ domain: domainRef, autostart: bool }), none),
  domainSuspend: procedure('domainSuspend', 34, domainOnly, none),
  connectGetHostname: procedure('connectGetHostname', 59, none, struct({ hostname: text })),
  connectSupportsFeature: procedure(
    'connectSupportsFeature',
    60,
    struct({ feature: int }),
    struct({ supported: bool }),
  ),
  authList: procedure('authList', 66, none, struct({ types: array(int, 20) })),
  authPolkit: procedure('authPolkit', 70, none, struct({ complete: bool })),
  storagePoolCreateXml: procedure(
    'storagePoolCreateXml',
    76,
    struct({ xml: text, flags: uint }),
    struct({ pool: poolRef }),
  ),
  storagePoolDestroy: procedure('storagePoolDestroy', 80, struct({ pool: poolRef }), none),
  storagePoolRefresh: procedure('storagePoolRefresh', 83, struct({ pool: poolRef, flags: uint }), none),
  storagePoolLookupByName: procedure('storagePoolLookupByName', 84, struct({ name: text }), struct({ pool: poolRef })),
  storageVolLookupByPath: procedure(
    'storageVolLookupByPath',
    97,
    struct({ path: text }),
    struct({ volume: volumeRef }),
  ),
  storageVolGetInfo: procedure('storageVolGetInfo', 98, struct({ volume: volumeRef }), volumeInfo),
  domainIsPersistent: procedure('domainIsPersistent', 151, domainOnly, struct({ persistent: bool })),
  connectGetLibVersion: procedure('connectGetLibVersion', 157, none, struct({ version: uhyper })),
  domainGetBlockInfo: procedure(
    'domainGetBlockInfo',
    194,
    struct({ domain: domainRef, path: text, flags: uint }),
    struct({ allocation: uhyper, capacity: uhyper, physical: uhyper }),
  ),
  domainCreateWithFlags: procedure('domainCreateWithFlags', 196, domainAndFlags, struct({ domain: domainRef })),
  /** Takes the bytes as a stream. */
  storageVolUpload: procedure('storageVolUpload', 208, volumeRange, none),
  /** Streams the bytes. */
  storageVolDownload: procedure('storageVolDownload', 209, volumeRange, none),
  /** Streams the picture. */
  domainScreenshot: procedure(
    'domainScreenshot',
    211,
    struct({ domain: domainRef, screen: uint, flags: uint }),
    struct({ mime: optionalText }),
  ),
  domainGetState: procedure('domainGetState', 212, domainAndFlags, struct({ state: int, reason: int })),
  domainSendKey: procedure(
    'domainSendKey',
    226,
    struct({ domain: domainRef, codeset: uint, holdTime: uint, keys: array(uint, maxKeys), flags: uint }),
    none,
  ),
  domainDestroyFlags: procedure('domainDestroyFlags', 234, domainAndFlags, none),
  domainReset: procedure('domainReset', 245, domainAndFlags, none),
  domainShutdownFlags: procedure('domainShutdownFlags', 258, domainAndFlags, none),
  domainPmWakeup: procedure('domainPmWakeup', 267, domainAndFlags, none),
  connectListAllDomains: procedure(
    'connectListAllDomains',
    273,
    struct({ needResults: int, flags: uint }),
    struct({ domains: array(domainRef, maxDomains), count: uint }),
  ),
  domainSetMemoryStatsPeriod: procedure(
    'domainSetMemoryStatsPeriod',
    308,
    struct({ domain: domainRef, period: int, flags: uint }),
    none,
  ),
  domainEventRegister: procedure(
    'domainEventRegister',
    316,
    struct({ eventId: int, domain: optional(domainRef) }),
    struct({ callbackId: int }),
  ),
  domainEventDeregister: procedure('domainEventDeregister', 317, struct({ callbackId: int }), none),
  connectGetAllDomainStats: procedure(
    'connectGetAllDomainStats',
    344,
    struct({ domains: array(domainRef, maxDomains), stats: uint, flags: uint }),
    struct({ records: array(statsRecord, maxDomains) }),
  ),
  domainInterfaceAddresses: procedure(
    'domainInterfaceAddresses',
    353,
    struct({ domain: domainRef, source: uint, flags: uint }),
    struct({ interfaces: guestInterfaces }),
  ),
  storageVolGetInfoFlags: procedure(
    'storageVolGetInfoFlags',
    378,
    struct({ volume: volumeRef, flags: uint }),
    volumeInfo,
  ),
  storagePoolLookupByTargetPath: procedure(
    'storagePoolLookupByTargetPath',
    391,
    struct({ path: text }),
    struct({ pool: poolRef }),
  ),
} as const;
