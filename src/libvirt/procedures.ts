import {
  domainRef,
  guestInterfaces,
  interfaceRef,
  maxDomains,
  maxKeys,
  optionalText,
  poolRef,
  statsRecord,
  text,
  uuid,
  volumeRef,
} from './structs.ts';
import { array, bool, type Codec, type Decoder, int, none, optional, struct, uhyper, uint } from './xdr.ts';

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

export type Callable<Args, Reply> = Pick<Procedure<Args, Reply>, 'name' | 'number' | 'args'> & {
  reply: Decoder<Reply>;
};

const row = <Args, Reply>(number: number, args: Codec<Args>, reply: Codec<Reply>) => ({ number, args, reply });

const domainOnly = struct({ domain: domainRef });
const domainAndFlags = struct({ domain: domainRef, flags: uint });
const volumeRange = struct({ volume: volumeRef, offset: uhyper, length: uhyper, flags: uint });
/** Bytes; `type` is `virStorageVolType`, a `char` that takes a whole XDR word. */
const volumeInfo = struct({ type: int, capacity: uhyper, allocation: uhyper });

/** `virNodeCPUStats` and `virNodeMemoryStats`: names, and what they say. */
const nodeStats = struct({ params: array(struct({ field: text, value: uhyper }), 16), nparams: int });

const rows = {
  connectOpen: row(1, struct({ name: optionalText, flags: uint }), none),
  connectGetType: row(3, none, struct({ type: text })),
  connectGetVersion: row(4, none, struct({ version: uhyper })),
  connectGetCapabilities: row(7, none, struct({ capabilities: text })),
  domainGetXmlDesc: row(14, domainAndFlags, struct({ xml: text })),
  domainGetAutostart: row(15, domainOnly, struct({ autostart: bool })),
  domainLookupByName: row(23, struct({ name: text }), struct({ domain: domainRef })),
  domainLookupByUuid: row(24, struct({ uuid }), struct({ domain: domainRef })),
  domainReboot: row(27, domainAndFlags, none),
  domainResume: row(28, domainOnly, none),
  domainSetAutostart: row(29, struct({ domain: domainRef, autostart: bool }), none),
  domainSuspend: row(34, domainOnly, none),
  connectGetHostname: row(59, none, struct({ hostname: text })),
  connectSupportsFeature: row(60, struct({ feature: int }), struct({ supported: bool })),
  authList: row(66, none, struct({ types: array(int, 20) })),
  authPolkit: row(70, none, struct({ complete: bool })),
  storagePoolCreateXml: row(76, struct({ xml: text, flags: uint }), struct({ pool: poolRef })),
  storagePoolDestroy: row(80, struct({ pool: poolRef }), none),
  storagePoolRefresh: row(83, struct({ pool: poolRef, flags: uint }), none),
  storagePoolLookupByName: row(84, struct({ name: text }), struct({ pool: poolRef })),
  storagePoolGetInfo: row(
    87,
    struct({ pool: poolRef }),
    struct({ state: int, capacity: uhyper, allocation: uhyper, available: uhyper }),
  ),
  storagePoolGetXmlDesc: row(88, struct({ pool: poolRef, flags: uint }), struct({ xml: text })),
  storageVolCreateXml: row(93, struct({ pool: poolRef, xml: text, flags: uint }), struct({ volume: volumeRef })),
  storageVolDelete: row(94, struct({ volume: volumeRef, flags: uint }), none),
  storageVolLookupByPath: row(97, struct({ path: text }), struct({ volume: volumeRef })),
  storageVolGetInfo: row(98, struct({ volume: volumeRef }), volumeInfo),
  interfaceLookupByName: row(128, struct({ name: text }), struct({ interface: interfaceRef })),
  domainIsPersistent: row(151, domainOnly, struct({ persistent: bool })),
  connectGetLibVersion: row(157, none, struct({ version: uhyper })),
  domainGetBlockInfo: row(
    194,
    struct({ domain: domainRef, path: text, flags: uint }),
    struct({ allocation: uhyper, capacity: uhyper, physical: uhyper }),
  ),
  domainCreateWithFlags: row(196, domainAndFlags, struct({ domain: domainRef })),
  /** `device` null: the first console. */
  domainOpenConsole: row(201, struct({ domain: domainRef, device: optionalText, flags: uint }), none),
  storageVolUpload: row(208, volumeRange, none),
  storageVolDownload: row(209, volumeRange, none),
  domainScreenshot: row(211, struct({ domain: domainRef, screen: uint, flags: uint }), struct({ mime: optionalText })),
  domainGetState: row(212, domainAndFlags, struct({ state: int, reason: int })),
  domainSendKey: row(
    226,
    struct({ domain: domainRef, codeset: uint, holdTime: uint, keys: array(uint, maxKeys), flags: uint }),
    none,
  ),
  domainDestroyFlags: row(234, domainAndFlags, none),
  domainReset: row(245, domainAndFlags, none),
  domainShutdownFlags: row(258, domainAndFlags, none),
  domainPmWakeup: row(267, domainAndFlags, none),
  connectListAllDomains: row(
    273,
    struct({ needResults: int, flags: uint }),
    struct({ domains: array(domainRef, maxDomains), count: uint }),
  ),
  domainSetMemoryStatsPeriod: row(308, struct({ domain: domainRef, period: int, flags: uint }), none),
  domainEventRegister: row(316, struct({ eventId: int, domain: optional(domainRef) }), struct({ callbackId: int })),
  connectGetAllDomainStats: row(
    344,
    struct({ domains: array(domainRef, maxDomains), stats: uint, flags: uint }),
    struct({ records: array(statsRecord, maxDomains) }),
  ),
  domainDefineXmlFlags: row(350, struct({ xml: text, flags: uint }), struct({ domain: domainRef })),
  domainInterfaceAddresses: row(
    353,
    struct({ domain: domainRef, source: uint, flags: uint }),
    struct({ interfaces: guestInterfaces }),
  ),
  storageVolGetInfoFlags: row(378, struct({ volume: volumeRef, flags: uint }), volumeInfo),
  nodeGetCpuStats: row(227, struct({ cpu: int, nparams: int, flags: uint }), nodeStats),
  nodeGetMemoryStats: row(228, struct({ nparams: int, cell: int, flags: uint }), nodeStats),
  connectListAllStoragePools: row(
    281,
    struct({ needResults: int, flags: uint }),
    struct({ pools: array(poolRef, maxDomains), count: uint }),
  ),
  storagePoolLookupByTargetPath: row(391, struct({ path: text }), struct({ pool: poolRef })),
} as const;

type Named<Rows> = { [Name in keyof Rows]: Rows[Name] & { name: Name } };

export const procedures = Object.fromEntries(
  Object.entries(rows).map(([name, procedure]) => [name, { name, ...procedure }]),
) as Named<typeof rows>;
