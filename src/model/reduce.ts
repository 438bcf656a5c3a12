import type { Domain } from './domain.ts';
import type { Event } from './event.ts';
import type { LastStop, Snapshot, VmSnapshot } from './snapshot.ts';
import { unknownStats } from './stats.ts';

/** What an event means. Pure; what did not change keeps its identity, so that a publisher can compare by reference. */
export function reduce(snapshot: Snapshot, event: Event): Snapshot {
  switch (event.type) {
    case 'hypervisor_up':
      return { ...snapshot, hypervisor: { up: true, reason: null, info: event.info } };
    case 'hypervisor_down':
      return { ...snapshot, hypervisor: { ...snapshot.hypervisor, up: false, reason: event.reason } };
    case 'domain':
      return change(snapshot, event.key, vm => withDomain(vm, event.domain, event.at));
    case 'stats':
      return change(snapshot, event.key, vm => ({ ...vm, stats: event.stats }));
    case 'activity':
      return change(snapshot, event.key, vm => ({
        ...vm,
        activity: event.activity,
        activeSince: event.activity === 'none' ? null : event.at,
        deadline: event.deadline,
      }));
    case 'error':
      return change(snapshot, event.key, vm => ({ ...vm, lastError: event.error }));
  }
}

function change(snapshot: Snapshot, key: string, update: (vm: VmSnapshot) => VmSnapshot): Snapshot {
  const vm = snapshot.vms[key];
  return vm ? { ...snapshot, vms: { ...snapshot.vms, [key]: update(vm) } } : snapshot;
}

function withDomain(vm: VmSnapshot, domain: Domain | null, at: string): VmSnapshot {
  const before = vm.domain;
  const same = before?.uuid === domain?.uuid;
  const stopped = before?.active === true && !(same && domain?.active);
  const started = same && before?.active === false && domain?.active === true;
  return {
    ...vm,
    domain,
    startedAt: started ? at : domain?.active && same ? vm.startedAt : null,
    lastStop: stopped ? stopOf(vm, domain, at) : vm.lastStop,
    stats: stopped ? unknownStats(at) : vm.stats,
  };
}

function stopOf(vm: VmSnapshot, domain: Domain | null, at: string): LastStop {
  const asked = vm.activity === 'shutting_down' && vm.activeSince !== null;
  const reason = domain?.reason ?? 'gone';
  return {
    by: asked && reason === 'shutdown' ? 'bridge' : (stoppedBy[reason] ?? 'host'),
    reason,
    at,
    seconds: asked && vm.activeSince ? Math.round((Date.parse(at) - Date.parse(vm.activeSince)) / 100) / 10 : null,
  };
}

/** Who it was, by libvirt's reason for `shut_off`. An ACPI shutdown from virsh looks like the guest's own. */
const stoppedBy: Record<string, LastStop['by']> = {
  shutdown: 'guest',
  crashed: 'fault',
  failed: 'fault',
  daemon: 'fault',
};
