import type { LibvirtError } from '../../../src/libvirt/errors.ts';
import type { remoteError } from '../../../src/libvirt/structs.ts';
import type { Value } from '../../../src/libvirt/xdr.ts';

/** `virErrorDomain` */
const from = { rpc: 7, qemu: 10, storage: 18, interface: 26, domain: 20, event: 40, streams: 38, polkit: 60 } as const;

/** What the daemon answers instead of a reply. */
export class Refusal extends Error {
  readonly remote: Value<typeof remoteError>;

  constructor({ code, domain, message }: Pick<LibvirtError, 'code' | 'domain' | 'message'>) {
    super(message);
    const unused = { subject: null, str2: null, str3: null, int1: -1, int2: -1, network: null };
    this.remote = { code, domain, message, level: 2, str1: '%s', ...unused };
  }
}

const refusal = (code: number, domain: number, message: string) => new Refusal({ code, domain, message });

/** The refusals of a real libvirtd 9.0 with QEMU. */
export const refusals = {
  internal: (what: string) => refusal(1, from.qemu, `internal error: ${what}`),
  unsupportedEvent: (id: number) => refusal(1, from.rpc, `internal error: unsupported event ID ${id}`),
  notOpen: () => refusal(1, from.rpc, 'internal error: connection not open'),
  invalidPath: (path: string) => refusal(8, from.qemu, `invalid argument: invalid path ${path} not assigned to domain`),
  nodeParams: () => refusal(8, from.qemu, 'invalid argument: nparams must be equal to the number of values'),
  tracked: () => refusal(8, from.event, 'invalid argument: event callback already tracked'),
  noKeys: () => refusal(8, from.domain, 'invalid argument: nkeycodes in virDomainSendKey must be greater than zero'),
  readOnly: (procedure: string) =>
    refusal(29, from.domain, `operation forbidden: read only access prevents ${procedure}`),
  unauthenticated: () => refusal(39, from.rpc, 'authentication required'),
  unknownProcedure: (number: number) => refusal(39, from.rpc, `unknown procedure: ${number}`),
  undecodable: () => refusal(39, from.rpc, 'Unable to decode message payload'),
  noDomainNamed: (name: string) => refusal(42, from.qemu, `Domain not found: no domain with matching name '${name}'`),
  noDomainWithUuid: (uuid: string) =>
    refusal(42, from.qemu, `Domain not found: no domain with matching uuid '${uuid}'`),
  alreadyRunning: () => refusal(55, from.qemu, 'Requested operation is not valid: domain is already running'),
  notRunning: () => refusal(55, from.qemu, 'Requested operation is not valid: domain is not running'),
  asleep: () => refusal(55, from.qemu, 'Requested operation is not valid: domain is pmsuspended'),
  notAsleep: () =>
    refusal(
      1,
      from.qemu,
      "internal error: unable to execute QEMU command 'system_wakeup': Unable to wake up: guest is not in suspended state",
    ),
  consoleTaken: () => refusal(9, from.qemu, 'operation failed: Active console session exists for this domain'),
  noScreens: () => refusal(55, from.qemu, 'Requested operation is not valid: no screens to take screenshot from'),
  noSuchScreen: () => refusal(55, from.qemu, 'Requested operation is not valid: no such screen ID'),
  streamLost: () => refusal(39, from.streams, 'stream had I/O failure'),
  streamFailed: () => refusal(38, from.streams, 'unable to read: Input/output error'),
  transientAutostart: () =>
    refusal(55, from.qemu, 'Requested operation is not valid: cannot set autostart for transient domain'),
  polkit: () =>
    refusal(
      94,
      from.polkit,
      "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'",
    ),
  noAgent: () => refusal(74, from.qemu, 'argument unsupported: QEMU guest agent is not configured'),
  noInterface: (name: string) =>
    refusal(57, from.interface, `Interface not found: couldn't find interface named '${name}'`),
  system: (what: string) => refusal(38, from.storage, what),
  noStorage: (procedure: string) =>
    refusal(3, 0, `this function is not supported by the connection driver: ${procedure}`),
  poolConflict: (name: string) =>
    refusal(9, from.storage, `operation failed: Storage source conflict with pool: '${name}'`),
  noPoolAt: (path: string) =>
    refusal(49, from.storage, `Storage pool not found: no storage pool with matching target path '${path}'`),
  noPoolNamed: (name: string) =>
    refusal(49, from.storage, `Storage pool not found: no storage pool with matching name '${name}'`),
  noPoolWithUuid: (uuid: string) =>
    refusal(49, from.storage, `Storage pool not found: no storage pool with matching uuid '${uuid}'`),
  noVolumeAt: (path: string) =>
    refusal(50, from.storage, `Storage volume not found: no storage vol with matching path '${path}'`),
  noVolumeNamed: (name: string) =>
    refusal(50, from.storage, `Storage volume not found: no storage vol with matching name '${name}'`),
  volumeExists: (name: string) => refusal(90, from.storage, `storage volume '${name}' exists already`),
  domainExists: (name: string, uuid: string) =>
    refusal(9, from.domain, `operation failed: domain '${name}' already exists with uuid ${uuid}`),
  invalidSchema: (what: string) =>
    refusal(92, from.domain, `XML document failed to validate against schema: Did not expect element ${what} there`),
  uploadFull: () => refusal(38, from.streams, 'cannot write to stream: No space left on device'),
  silentAgent: () => refusal(86, from.qemu, 'Guest agent is not responding: QEMU guest agent is not connected'),
};
