/** The contract on real daemons: `scripts/lab [--release forky] vitest run --project lab test/contract`. */
import { beforeAll } from 'vitest';
import { parseUri } from '../../src/libvirt/uri.ts';
import { address, guest, inLab, lab, libvirtd, qemuPid } from '../lab/lab.ts';
import { libvirtContract } from './libvirt.ts';
import { libvirtDaemonContract } from './libvirt-daemon.ts';
import { libvirtPowerContract } from './libvirt-power.ts';
import type { Contract } from './subject.ts';
import { tinyXml } from './tiny-xml.ts';
import { virshWitness } from './virsh.ts';

beforeAll(() => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
});

const release = inLab() ? lab().release : null;
const version = { bookworm: '9.0', forky: '12.8' }[release ?? 'bookworm'];

// Without a transport virsh would serve the test driver itself.
const testDriver: Contract = {
  name: `libvirt ${version}, test driver`,
  uri: parseUri(`test+unix:///default?socket=${address.socket}`),
  readOnlyUri: parseUri(`test+unix:///default?socket=${address.socketReadOnly}`),
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
    stats: false,
    taps: false,
    refusedEvents: release === 'bookworm' ? ['nicMacChange'] : [],
  },
  xml: (name, uuid) => tinyXml('test', name, uuid),
  names: [],
};

const qemu: Contract = {
  name: `libvirt ${version}, QEMU`,
  uri: parseUri(`qemu+unix:///system?socket=${address.socket}`),
  readOnlyUri: parseUri(`qemu+unix:///system?socket=${address.socketReadOnly}`),
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
    refusedEvents: release === 'bookworm' ? ['nicMacChange'] : [],
  },
  xml: (name, uuid) => tinyXml('qemu', name, uuid),
  names: [],
};

for (const contract of [testDriver, qemu]) {
  libvirtContract(contract);
  libvirtPowerContract(contract);
}

libvirtDaemonContract({
  name: `libvirt ${version}, troubles`,
  uri: parseUri(`qemu+unix:///system?socket=${address.socket}`),
  witness: virshWitness('qemu:///system'),
  domain: address.domain,
  daemon: libvirtd,
  xmlWaits: release === 'forky',
  qemu: { hang: () => signalQemu('SIGSTOP'), unhang: () => signalQemu('SIGCONT') },
});

function signalQemu(signal: NodeJS.Signals): void {
  const pid = qemuPid();
  if (pid !== undefined) process.kill(pid, signal);
}

/** The guest does this when it has said that it will. */
async function inAMoment(command: string): Promise<void> {
  await guest.run(`(sleep 0.3; ${command}) >/dev/null 2>&1 &`);
}
