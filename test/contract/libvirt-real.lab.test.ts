/** The contract on real daemons: `scripts/lab [--release forky] vitest run --project lab test/contract`. */
import { beforeAll, expect, test } from 'vitest';
import { Libvirt } from '../../src/libvirt/client.ts';
import { eventNames } from '../../src/libvirt/events.ts';
import { parseUri } from '../../src/libvirt/uri.ts';
import { address, inLab, libvirtd, qemuPid } from '../lab/lab.ts';
import { libvirtContract } from './libvirt.ts';
import { libvirtDaemonContract } from './libvirt-daemon.ts';
import { libvirtPowerContract } from './libvirt-power.ts';
import { overUnix, qemu, release, testDriver, version } from './real-daemon.ts';
import { virshWitness } from './virsh.ts';

beforeAll(() => {
  if (!inLab()) throw new Error('these tests run in the lab: scripts/lab vitest run --project lab');
});

for (const contract of [testDriver(overUnix), qemu(overUnix)]) {
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

test('clients that listen come and go by the thousand, and the daemon is still the same', async () => {
  const pid = libvirtd.pid();
  const { uri } = testDriver(overUnix);
  for (let round = 0; round < 1_000; round++) {
    await using client = await Libvirt.open({ uri });
    await client.subscribe(eventNames);
    // Under way when it leaves.
    client.domains().catch(() => {});
  }
  expect(libvirtd.pid()).toBe(pid);
  await using client = await Libvirt.open({ uri });
  expect(await client.type()).toBe('TEST');
});

function signalQemu(signal: NodeJS.Signals): void {
  const pid = qemuPid();
  if (pid !== undefined) process.kill(pid, signal);
}
