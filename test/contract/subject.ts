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
  witness: Witness;
  /** A domain that may be started and stopped at will. */
  domain: string;
  /** Resolves when a guest just started would hear the power button. */
  guestReady(): Promise<void>;
  expected: {
    type: string;
    /** `event:detail` told of a start, a destroy, and a guest that turns itself off when asked. */
    started: string[];
    destroyed: string[];
    poweredOff: string[];
    /** The flag of `shutdown` that the driver takes. */
    shutdownFlag: number;
    /** Error code of starting what runs, and of shutting down what is off. */
    wrongState: number;
    /** Error code of a shutdown by an agent that is not there. */
    noAgent: number;
    /** A disk's target and another name for it. */
    disk: { target: string; source: string } | null;
    /** Statistics beyond the state. */
    stats: boolean;
    /** Live XML names the taps. */
    taps: boolean;
    refusedEvents: DomainEventName[];
  };
  /** Domain XML under this name, for definitions that never run. */
  xml(name: string, uuid: string): string;
  /** Names that the driver takes beside ordinary ones. */
  names: string[];
}
