import type { Wish } from './check.ts';
import type { Domain } from './domain.ts';
import { recorded } from './history/recorded.ts';
import { tallied } from './history/uptime.ts';
import { stopBy } from './job/ending.ts';
import type { Asked, Event, LastStop, Snapshot, VmKey, VmSnapshot } from './snapshot.ts';
import { type Stats, unknownStats } from './stats.ts';

/** Applies an event. Pure; what did not change keeps its identity, so that a publisher can compare by reference. */
export function reduce(snapshot: Snapshot, event: Event): Snapshot {
  const { up } = snapshot.hypervisor;
  switch (event.type) {
    case 'hypervisor_up':
      return { ...snapshot, hypervisor: { ...snapshot.hypervisor, up: true, reason: null, info: event.info } };
    case 'hypervisor_down':
      return { ...snapshot, hypervisor: { ...snapshot.hypervisor, up: false, reason: event.reason } };
    case 'domain':
      return change(snapshot, event.key, vm =>
        recorded(vm, withDomain(vm, ofGuest(event.domain, vm), event.at, up), event, up),
      );
    case 'host':
      return { ...snapshot, host: event.host };
    case 'moved':
      return change(snapshot, event.key, () => ({ ...event.vm, work: null, asked: null, startedAt: null }));
    case 'stats':
      return sampled(snapshot, event.stats);
    case 'work':
      return change(snapshot, event.key, vm => ({ ...vm, work: event.work }));
    case 'asked':
      return change(snapshot, event.key, vm => ({ ...vm, asked: event.asked }));
    case 'rebooted':
      // A guest that restarts has not powered off as asked: a later power-off has another cause.
      return change(snapshot, event.key, vm =>
        recorded(vm, vm.asked && isOver(vm.asked) ? { ...vm, asked: null } : vm, event, up),
      );
    case 'error':
      return change(snapshot, event.key, vm => ({ ...vm, lastError: event.error }));
    case 'wished':
      return change(snapshot, event.key, vm => ({ ...vm, wish: event.wish }));
    case 'checked':
      return change(snapshot, event.key, vm => ({
        ...recorded(vm, { ...vm, check: event.check }, event, up),
        uptime: tallied(vm, event.check, event.at),
      }));
    case 'examined':
      return change(snapshot, event.key, vm => ({ ...vm, harm: event.harm }));
    case 'boot':
      return change(snapshot, event.key, vm => ({ ...vm, boot: event.boot }));
    case 'loader':
      return change(snapshot, event.key, vm => ({ ...vm, loader: event.loader }));
    case 'quiet':
      return change(snapshot, event.key, vm => ({
        ...vm,
        quiet: event.quiet,
        uptime: tallied(vm, vm.check, event.at),
      }));
    case 'loader_ended':
      return snapshot;
    case 'checks_overdue':
      return { ...snapshot, overdueChecks: event.keys };
  }
}

/** What was asked has nothing to come any more, once the guest has restarted. */
function isOver({ open, word }: Asked): boolean {
  return !open || word === 'reset';
}

/** The table of VMs is copied once, however many there are. */
function sampled(snapshot: Snapshot, stats: ReadonlyMap<VmKey, Stats>): Snapshot {
  const vms = { ...snapshot.vms };
  let changed = false;
  for (const [key, sample] of stats) {
    const vm = Object.hasOwn(vms, key) ? vms[key] : undefined;
    if (!vm) continue;
    vms[key] = { ...vm, stats: sample };
    changed = true;
  }
  return changed ? { ...snapshot, vms } : snapshot;
}

function change(snapshot: Snapshot, key: string, update: (vm: VmSnapshot) => VmSnapshot): Snapshot {
  const vm = Object.hasOwn(snapshot.vms, key) ? snapshot.vms[key] : undefined;
  const next = vm && update(vm);
  return next && next !== vm ? { ...snapshot, vms: { ...snapshot.vms, [key]: next } } : snapshot;
}

/** Only DSM has a loader: the disk that any other guest boots from has its data. */
function ofGuest(domain: Domain | null, { guest }: VmSnapshot): Domain | null {
  const { disks = [] } = domain?.hardware ?? {};
  if (guest === 'dsm' || !domain || disks.every(({ role }) => role !== 'loader')) return domain;
  const data = disks.map(disk => (disk.role === 'loader' ? { ...disk, role: 'data' as const } : disk));
  return { ...domain, hardware: { ...domain.hardware, disks: data } };
}

/** `live`: libvirt was connected, so this came when it happened. */
function withDomain(vm: VmSnapshot, domain: Domain | null, at: string, live: boolean): VmSnapshot {
  const before = vm.domain ?? vm.remembered;
  const same = before?.uuid === domain?.uuid;
  const stopped = before?.active === true && !(same && domain?.active);
  const started = same && before?.active === false && domain?.active === true;
  // Another domain's reason tells nothing about this one.
  const lastStop = stopped ? stopOf(vm, same ? domain : null, at, live) : vm.lastStop;
  const { asked, lastError } = vm.remembered && vm.asked?.open ? interrupted(vm.asked, domain, at) : vm;
  return {
    ...vm,
    domain,
    seen: true,
    remembered: null,
    asked: stopped || started ? null : asked,
    // A start while no bridge ran, or while libvirt was away, was not seen.
    startedAt: started && vm.seen && live ? at : domain?.active && same ? vm.startedAt : null,
    lastStop,
    selfOffAt: same ? selfOffAt(vm, domain, stopped ? lastStop : null) : null,
    lastError,
    stats: stopped ? unknownStats(at) : vm.stats,
    wish: wishAfter(vm, domain),
  };
}

/** A start or a resume shows that the VM is meant to run; a stop shows nothing about that. */
function wishAfter({ wish, seen, remembered, domain: before }: VmSnapshot, domain: Domain | null): Wish | null {
  if (!domain?.active) return wish;
  const known = before ?? remembered;
  const another = known !== null && (!known.active || known.uuid !== domain.uuid);
  // It was not there, or its host has booted since.
  const began = (known === null && seen) || (remembered !== null && !remembered.thisBoot);
  const goesOn = wish === 'paused' && before?.state === 'paused' && domain.state === 'running';
  return another || began || goesOn ? 'running' : (wish ?? 'running');
}

/** libvirt forgets why a domain is off when libvirt or the host restarts; then the cause is unknown. */
function selfOffAt(
  { seen, selfOffAt: before }: VmSnapshot,
  domain: Domain | null,
  stop: LastStop | null,
): string | null {
  if (domain?.active !== false || domain.reason !== 'shutdown') return null;
  if (!stop) return before;
  return seen && stop.by === 'guest' ? stop.at : null;
}

function interrupted(asked: Asked, domain: Domain | null, at: string): Pick<VmSnapshot, 'asked' | 'lastError'> {
  const runs = asked.at < asked.until ? 'it runs, and may still power off' : 'it runs';
  const now = domain?.active ? runs : 'it is off';
  const message = `${asked.word}: the bridge was ended in the middle of it, and does not resume it; ${now}`;
  return { asked: { ...asked, open: false }, lastError: { code: 'interrupted', message, at } };
}

function stopOf(vm: VmSnapshot, domain: Domain | null, at: string, live: boolean): LastStop {
  const unseen = !vm.seen;
  const reason = domain?.reason ?? 'gone';
  const asked = vm.asked && isCause(vm.asked, vm.seen, at) ? vm.asked : null;
  // A transient domain is gone once it is off, and so is the reason.
  const asItWasAsked = reason === 'shutdown' || (reason === 'destroyed' && asked?.cut) || (!domain && !unseen);
  if (!asked || !asItWasAsked) return { by: stopBy(reason).by, reason, at, seconds: null };
  return { by: asked.by, reason, at, seconds: unseen || !live ? null : secondsBetween(asked.at, at) };
}

/** While the job runs, its request is the cause, even if the clock is set. A start's (`at` = `until`) never is. */
function isCause({ open, at: since, until }: Asked, seen: boolean, at: string): boolean {
  return at <= until || (open && seen && since < until);
}

/** Null when the clock was set back meanwhile. */
function secondsBetween(from: string, to: string): number | null {
  const milliseconds = Date.parse(to) - Date.parse(from);
  return milliseconds < 0 ? null : Math.round(milliseconds / 100) / 10;
}
