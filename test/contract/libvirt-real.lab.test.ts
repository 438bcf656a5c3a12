/** The contract on real daemons: `scripts/lab [--release forky] vitest run --project lab test/contract`. */
import { beforeAll } from 'vitest';
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

function signalQemu(signal: NodeJS.Signals): void {
  const pid = qemuPid();
  if (pid !== undefined) process.kill(pid, signal);
}
