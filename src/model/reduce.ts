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
  const vm = Object.hasOwn(snapshot.vms, key) ? snapshot.vms[key] : undefined;
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
    // Another domain's reason says nothing of the one that is gone.
    lastStop: stopped ? stopOf(vm, same ? domain : null, at) : vm.lastStop,
    stats: stopped ? unknownStats(at) : vm.stats,
  };
}

function stopOf(vm: VmSnapshot, domain: Domain | null, at: string): LastStop {
  const askedAt = vm.activity === 'shutting_down' ? vm.activeSince : null;
  const reason = domain?.reason ?? 'gone';
  // A transient domain is gone as soon as it is off, and with it the reason.
  const asItWasAsked = askedAt !== null && (reason === 'shutdown' || !domain);
  return {
    by: asItWasAsked ? 'bridge' : (stoppedBy.get(reason) ?? null),
    reason,
    at,
    seconds: askedAt === null ? null : secondsBetween(askedAt, at),
  };
}

/** Null when the clock was set back meanwhile. */
function secondsBetween(from: string, to: string): number | null {
  const milliseconds = Date.parse(to) - Date.parse(from);
  return milliseconds < 0 ? null : Math.round(milliseconds / 100) / 10;
}

/** Who it was, by libvirt's reason for `shut_off`. An ACPI shutdown from virsh looks like the guest's own. */
const stoppedBy: ReadonlyMap<string, LastStop['by']> = new Map([
  ['shutdown', 'guest'],
  ['destroyed', 'host'],
  ['migrated', 'host'],
  ['saved', 'host'],
  ['from_snapshot', 'host'],
  ['gone', 'host'],
  ['crashed', 'fault'],
  ['failed', 'fault'],
  ['daemon', 'fault'],
]);
