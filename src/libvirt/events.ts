import { domainRef, optionalText, text } from './structs.ts';
import { type Codec, int, struct, type Value } from './xdr.ts';

/**
 * The domain events in use, in the form with a callback id (since 1.3.3). Event ids and procedure numbers are unrelated,
 * so both are in the table; a daemon that does not know an id refuses its registration alone.
 */
const domainOf = { callbackId: int, domain: domainRef };
const powerManagement = struct({ callbackId: int, reason: int, domain: domainRef });
const device = struct({ ...domainOf, device: text });
const ioError = struct({ ...domainOf, source: text, device: text, action: int, reason: text });
const diskChange = struct({ ...domainOf, oldSource: optionalText, newSource: optionalText, device: text, reason: int });
const nicMacChange = struct({ ...domainOf, device: text, oldMac: text, newMac: text });

const event = <T>(id: number, procedure: number, codec: Codec<T>) => ({ id, procedure, codec });

export const domainEvents = {
  lifecycle: event(0, 318, struct({ ...domainOf, event: int, detail: int })),
  reboot: event(1, 319, struct(domainOf)),
  ioErrorReason: event(6, 324, ioError),
  controlError: event(7, 325, struct(domainOf)),
  diskChange: event(9, 327, diskChange),
  pmWakeup: event(11, 329, powerManagement),
  pmSuspend: event(12, 330, powerManagement),
  pmSuspendDisk: event(14, 332, powerManagement),
  deviceRemoved: event(15, 333, device),
  deviceAdded: event(19, 354, device),
  nicMacChange: event(27, 453, nicMacChange),
} as const;

export type DomainEventName = keyof typeof domainEvents;
export const eventNames = Object.keys(domainEvents) as DomainEventName[];

/** One decoded event: `{ name: 'lifecycle', domain, event, detail, … }`. */
export type DomainEvent = {
  [N in DomainEventName]: { name: N } & Value<(typeof domainEvents)[N]['codec']>;
}[DomainEventName];

export const eventByProcedure: ReadonlyMap<number, { name: DomainEventName; codec: Codec<unknown> }> = new Map(
  eventNames.map(name => {
    const { procedure, codec } = domainEvents[name];
    return [procedure, { name, codec }];
  }),
);
