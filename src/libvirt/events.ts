import { domainRef, eventParams, optionalText, text } from './structs.ts';
import { array, type Codec, hyper, int, struct, uhyper, uint, type Value } from './xdr.ts';

/**
 * Every domain event libvirt has, in the form with a callback id (since 1.3.3). Event ids and procedure numbers are
 * unrelated, so both are in the table; a daemon that does not know an id refuses its registration alone.
 */
const domainOf = { callbackId: int, domain: domainRef };
const powerManagement = struct({ callbackId: int, reason: int, domain: domainRef });
const device = struct({ ...domainOf, device: text });
const blockJob = struct({ ...domainOf, disk: text, type: int, status: int });
const address = struct({ family: int, node: text, service: text });
const identity = struct({ type: text, name: text });

const event = <T>(id: number, procedure: number, codec: Codec<T>) => ({ id, procedure, codec });

export const domainEvents = {
  lifecycle: event(0, 318, struct({ ...domainOf, event: int, detail: int })),
  reboot: event(1, 319, struct(domainOf)),
  rtcChange: event(2, 320, struct({ ...domainOf, offset: hyper })),
  watchdog: event(3, 321, struct({ ...domainOf, action: int })),
  ioError: event(4, 322, struct({ ...domainOf, source: text, device: text, action: int })),
  graphics: event(
    5,
    323,
    struct({
      ...domainOf,
      phase: int,
      local: address,
      remote: address,
      authScheme: text,
      subject: array(identity, 20),
    }),
  ),
  ioErrorReason: event(6, 324, struct({ ...domainOf, source: text, device: text, action: int, reason: text })),
  controlError: event(7, 325, struct(domainOf)),
  blockJob: event(8, 326, blockJob),
  diskChange: event(
    9,
    327,
    struct({ ...domainOf, oldSource: optionalText, newSource: optionalText, device: text, reason: int }),
  ),
  trayChange: event(10, 328, struct({ ...domainOf, device: text, reason: int })),
  pmWakeup: event(11, 329, powerManagement),
  pmSuspend: event(12, 330, powerManagement),
  balloonChange: event(13, 331, struct({ ...domainOf, actual: uhyper })),
  pmSuspendDisk: event(14, 332, powerManagement),
  deviceRemoved: event(15, 333, device),
  blockJob2: event(16, 339, blockJob),
  tunable: event(17, 346, struct({ ...domainOf, params: eventParams })),
  agentLifecycle: event(18, 348, struct({ ...domainOf, state: int, reason: int })),
  deviceAdded: event(19, 354, device),
  migrationIteration: event(20, 359, struct({ ...domainOf, iteration: int })),
  jobCompleted: event(21, 363, struct({ ...domainOf, params: eventParams })),
  deviceRemovalFailed: event(22, 367, device),
  metadataChange: event(23, 379, struct({ ...domainOf, type: int, uri: optionalText })),
  blockThreshold: event(
    24,
    385,
    struct({ ...domainOf, device: text, path: optionalText, threshold: uhyper, excess: uhyper }),
  ),
  memoryFailure: event(25, 423, struct({ ...domainOf, recipient: int, action: int, flags: uint })),
  memoryDeviceSizeChange: event(26, 438, struct({ ...domainOf, device: text, size: uhyper })),
  nicMacChange: event(27, 453, struct({ ...domainOf, device: text, oldMac: text, newMac: text })),
} as const;

export type DomainEventName = keyof typeof domainEvents;

/** One decoded event: `{ name: 'lifecycle', domain, event, detail, … }`. */
export type DomainEvent = {
  [N in DomainEventName]: { name: N } & Value<(typeof domainEvents)[N]['codec']>;
}[DomainEventName];

/** From a message's procedure number to its row. */
export const eventByProcedure: ReadonlyMap<number, { name: DomainEventName; codec: Codec<unknown> }> = new Map(
  (Object.keys(domainEvents) as DomainEventName[]).map(name => [
    domainEvents[name].procedure,
    { name, codec: domainEvents[name].codec },
  ]),
);
