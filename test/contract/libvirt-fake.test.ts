import { afterAll } from 'vitest';
import { parseUri } from '../../src/libvirt/uri.ts';
import { FakeLibvirtd } from '../fakes/libvirtd/daemon.ts';
import { fakeWitness } from './fake-witness.ts';
import { libvirtContract } from './libvirt.ts';
import { libvirtDaemonContract } from './libvirt-daemon.ts';
import { libvirtPowerContract } from './libvirt-power.ts';
import type { Contract } from './subject.ts';
import { tinyXml } from './tiny-xml.ts';

async function fake(name: string, inProcess: boolean): Promise<Contract> {
  const daemon = await FakeLibvirtd.listen();
  afterAll(() => daemon.close());
  const domain = daemon.define();
  return {
    name,
    uri: parseUri(daemon.uri),
    readOnlyUri: parseUri(daemon.readOnlyUri),
    ...(inProcess ? { dial: daemon.dial } : {}),
    witness: fakeWitness(daemon),
    domain: domain.name,
    guestReady: async () => {
      domain.guest.powerButton = 20;
    },
    guest: {
      beDeaf: () => {
        domain.guest.powerButton = 'ignored';
      },
      powerOff: async () => domain.powerOff(),
      sleep: async () => domain.suspendToMemory(),
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
      disk: { target: 'sda', source: '/var/lib/libvirt/images/sda.img' },
      stats: true,
      taps: true,
      interface: 'br0',
      refusedEvents: ['nicMacChange'],
    },
    xml: (other, uuid) => tinyXml('qemu', other, uuid),
    names: ['NAS/DSM'],
  };
}

for (const [where, inProcess] of [
  ['over its socket', false],
  ['in process', true],
] as const) {
  const contract = await fake(`the fake, ${where}`, inProcess);
  libvirtContract(contract);
  libvirtPowerContract(contract);
}

for (const [release, libvirtVersion] of [
  ['9.0', 9_000_000],
  ['12.8', 12_008_000],
] as const) {
  const daemon = await FakeLibvirtd.listen({ libvirtVersion });
  afterAll(() => daemon.close());
  const domain = daemon.define();
  libvirtDaemonContract({
    name: `the fake’s troubles, as libvirt ${release}`,
    uri: parseUri(daemon.uri),
    witness: fakeWitness(daemon),
    domain: domain.name,
    daemon: {
      kill: () => daemon.kill(),
      start: () => daemon.listen(),
      freeze: () => daemon.freeze(),
      thaw: () => daemon.thaw(),
    },
    xmlWaits: release === '12.8',
    qemu: { hang: () => domain.hang(), unhang: () => domain.unhang() },
  });
}
