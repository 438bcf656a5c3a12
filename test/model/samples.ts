import { type Check, unknownDsm, type Verdict } from '../../src/model/check.ts';
import { type Domain, type DomainState, unknownHardware } from '../../src/model/domain.ts';
import { type Asked, emptyVm, type Snapshot, type VmSnapshot } from '../../src/model/snapshot.ts';

/** A domain, a VM and a snapshot as they are on an ordinary day; tests change what they are about. */

export const uuid = '186682f9-0f0b-4a9e-867b-364706339405';
export const otherUuid = '00000000-0000-4000-8000-0000000000aa';
export const at = '2026-11-22T08:00:00.000Z';

export const domain: Domain = {
  uuid,
  name: 'DSM',
  active: true,
  state: 'running',
  reason: 'booted',
  persistent: true,
  autostart: false,
  hardware: {
    ...unknownHardware,
    machine: 'pc-q35-7.2',
    vcpus: 2,
    memory: 2 ** 30,
    disks: [
      { target: 'sda', role: 'data', bus: 'scsi', source: '/dev/sda' },
      { target: 'hdz', role: 'loader', bus: 'usb', source: '/image/loader.img' },
    ],
    nics: [{ mac: '52:54:00:d5:30:01', model: 'virtio', source: 'br0', tap: 'vnet0', type: 'bridge', link: null }],
  },
};

/** Active, in another state. */
export const active = (state: DomainState, reason = 'unknown'): Domain => ({ ...domain, state, reason });

export const off: Domain = { ...domain, active: false, state: 'shut_off', reason: 'shutdown' };

export const offBy = (reason: string): Domain => ({ ...off, reason });

export const vmOf = (changes: Partial<VmSnapshot> = {}): VmSnapshot => ({
  ...emptyVm('DSM', 'DSM VM'),
  domain,
  seen: true,
  ...changes,
});

export const snapshotOf = (vm: Partial<VmSnapshot> = {}): Snapshot => ({
  hypervisor: {
    name: null,
    up: true,
    reason: null,
    info: { hostname: 'nas-host', libvirt: '9.0.0', hypervisor: 'QEMU 7.2.22' },
  },
  host: null,
  vms: { DSM: vmOf(vm), other: { ...emptyVm('other', 'Other'), domain: { ...off, uuid: otherUuid } } },
  overdueChecks: [],
});

/** A shutdown that the UPS asked for at `at`. */
export const asked: Asked = {
  word: 'shutdown',
  id: 'ups-1',
  by: 'ups',
  at,
  until: '2026-11-22T08:35:00.000Z',
  cut: false,
  open: true,
};

/** As it is told when a check has come to this. */
export const checkOf = (verdict: Verdict): Check => ({
  ...{ verdict, cause: verdict, reason: `It is ${verdict}.`, nextStep: null, since: at, failures: 0 },
  reachable: verdict === 'up',
  problem: verdict !== 'up',
  probes: { web: { outcome: 'ok', ms: 1, explanation: 'It answers.', at } },
  ...{ expected: 'running', latency: null, checkedAt: at, nextAt: null, bootSeconds: null, certificateDays: null },
  wasUp: verdict === 'up',
  dsm: unknownDsm,
});
