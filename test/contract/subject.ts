import { Libvirt } from '../../src/libvirt/client.ts';
import type { DomainEventName } from '../../src/libvirt/events.ts';
import type { Dialer } from '../../src/libvirt/transport.ts';
import type { LibvirtUri } from '../../src/libvirt/uri.ts';
import type { Witness } from './witness.ts';

/** One daemon and driver under the contract, and what is peculiar to it. */
export interface Contract {
  name: string;
  uri: LibvirtUri;
  readOnlyUri: LibvirtUri;
  dial?: Dialer;
  /** Default: `dial`. */
  readOnlyDial?: Dialer;
  witness: Witness;
  /** A domain that may be started and stopped at will. */
  domain: string;
  /** Resolves when a guest just started would hear the power button. */
  guestReady(): Promise<void>;
  /** What the guest does by itself, as from its own menu; null where there is no guest. */
  guest: {
    /** Until `guestReady`, the next start's guest hears no power button. */
    beDeaf(): void;
    powerOff(): Promise<void>;
    /** Suspends to memory. */
    sleep(): Promise<void>;
  } | null;
  expected: {
    type: string;
    /** `event:detail` told of a start, a destroy, and a guest that turns itself off when asked. */
    started: string[];
    destroyed: string[];
    poweredOff: string[];
    /** The flag of `shutdown` that the driver takes. */
    shutdownFlag: number;
    /** Error code of starting or resuming what runs, and of shutting down what is off. */
    wrongState: number;
    /** Error code of pausing what is paused; null: it is well. */
    pausedTwice: number | null;
    /** Error codes of waking up what is off, and what is awake. */
    wakeUp: readonly [number, number];
    /** Restarts are told by the `reboot` event. */
    reboots: boolean;
    /** Error code of an autostart for a domain without a definition; null: the driver does not mind. */
    transientAutostart: number | null;
    /** Error code of a screenshot of what is off; null: there is one always. */
    screenshotOff: number | null;
    /** Error code of a shutdown by an agent that is not there. */
    noAgent: number;
    /** Error code of asking an agent that is not there for addresses; null: the driver makes them up. */
    noAgentAddresses: number | null;
    /** A disk's target and another name for it. */
    disk: { target: string; source: string } | null;
    /** Statistics beyond the state. */
    stats: boolean;
    /** Live XML names the taps. */
    taps: boolean;
    refusedEvents: DomainEventName[];
    /** One of the host's network interfaces; null: there is no driver for them. */
    interface: string | null;
  };
  /** Domain XML under this name, for definitions that never run. */
  xml(name: string, uuid: string): string;
  /** Names that the driver takes beside ordinary ones. */
  names: string[];
}

/** A connection to it. */
export function openSubject(
  contract: Pick<Contract, 'uri' | 'readOnlyUri' | 'dial' | 'readOnlyDial'>,
  readOnly = false,
): Promise<Libvirt> {
  const dial = readOnly ? (contract.readOnlyDial ?? contract.dial) : contract.dial;
  return Libvirt.open({ uri: readOnly ? contract.readOnlyUri : contract.uri, readOnly, ...(dial && { dial }) });
}
