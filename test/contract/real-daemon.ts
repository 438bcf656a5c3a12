/** The lab's daemon under the contracts, by whatever way it is reached. */
import type { Dialer } from '../../src/libvirt/transport.ts';
import { type LibvirtUri, parseUri } from '../../src/libvirt/uri.ts';
import { address, guest, inLab, lab } from '../lab/lab.ts';
import type { Contract } from './subject.ts';
import { tinyXml } from './tiny-xml.ts';
import { virshWitness } from './virsh.ts';

export const release = inLab() ? lab().release : null;
export const version = { bookworm: '9.0', forky: '12.8' }[release ?? 'bookworm'];

/** How a daemon is reached. */
export interface Way {
  /** Added to the contract's name. */
  name: string;
  /** The URI of a driver: `qemu`, `/system`. */
  uri(driver: string, path: string, socket: string): LibvirtUri;
  /** Where the client does not dial by itself. */
  dial?(uri: LibvirtUri): Dialer | undefined;
}

export const overUnix: Way = {
  name: '',
  uri: (driver, path, socket) => parseUri(`${driver}+unix://${path}?socket=${socket}`),
};

function reached(way: Way, driver: string, path: string) {
  const uri = way.uri(driver, path, address.socket);
  const readOnlyUri = way.uri(driver, path, address.socketReadOnly);
  const dial = way.dial?.(uri);
  const readOnlyDial = way.dial?.(readOnlyUri);
  return { uri, readOnlyUri, ...(dial && { dial }), ...(readOnlyDial && { readOnlyDial }) };
}

// Without a transport virsh would serve the test driver itself.
export const testDriver = (way: Way): Contract => ({
  name: `libvirt ${version}, test driver${way.name}`,
  ...reached(way, 'test', '/default'),
  witness: virshWitness('test+unix:///default'),
  domain: 'test',
  guestReady: async () => {},
  guest: null,
  expected: {
    type: 'TEST',
    started: ['2:0'],
    destroyed: ['5:1'],
    poweredOff: ['5:0'],
    shutdownFlag: 0,
    noAgent: 8,
    noAgentAddresses: null,
    wrongState: 1,
    pausedTwice: 1,
    wakeUp: [3, 3],
    reboots: false,
    transientAutostart: null,
    screenshotOff: null,
    disk: null,
    interface: 'eth1',
    stats: false,
    taps: false,
    refusedEvents: release === 'bookworm' ? ['nicMacChange'] : [],
  },
  xml: (name, uuid) => tinyXml('test', name, uuid),
  names: [],
});

export const qemu = (way: Way): Contract => ({
  name: `libvirt ${version}, QEMU${way.name}`,
  ...reached(way, 'qemu', '/system'),
  witness: virshWitness('qemu:///system'),
  domain: address.domain,
  // Without KVM it takes its time, on a busy machine a minute and more.
  guestReady: () => guest.up(100_000),
  guest: {
    // Its firmware is.
    beDeaf: () => {},
    powerOff: () => inAMoment('poweroff -f'),
    sleep: () => inAMoment('echo mem > /sys/power/state'),
  },
  expected: {
    type: 'QEMU',
    started: ['4:0', '2:0'],
    destroyed: ['6:2', '5:1'],
    poweredOff: ['6:1', '5:0'],
    shutdownFlag: 1,
    noAgent: 74,
    noAgentAddresses: 74,
    wrongState: 55,
    pausedTwice: null,
    wakeUp: [55, 1],
    reboots: true,
    transientAutostart: 55,
    screenshotOff: 55,
    disk: { target: 'sda', source: `${address.images}/sda.img` },
    stats: true,
    taps: true,
    interface: release === 'forky' ? null : 'br0',
    refusedEvents: release === 'bookworm' ? ['nicMacChange'] : [],
  },
  xml: (name, uuid) => tinyXml('qemu', name, uuid),
  names: [],
});

/** The guest does this when it has said that it will. */
async function inAMoment(command: string): Promise<void> {
  await guest.run(`(sleep 0.3; ${command}) >/dev/null 2>&1 &`);
}
