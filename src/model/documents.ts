import { phaseOf, stoppedAfter } from './boot.ts';
import {
  type Check,
  type GuestKind,
  type ProbeName,
  type ProbeRow,
  probesOf,
  unknownDsm,
  type Verdict,
} from './check.ts';
import { byKey } from './domain.ts';
import { longest } from './history/history.ts';
import { nearlyFull, usedPercent } from './host.ts';
import { isUnderWay, type LoaderBackup } from './loader.ts';
import { shownProblem } from './notice/quiet.ts';
import type { LastError, LastStop, Snapshot, VmKey, VmSnapshot } from './snapshot.ts';
import { type Stats, unknownDisk, unknownNic, unknownStats } from './stats.ts';

/** The JSON documents on the topics, as pure projections of the snapshot. Unknown is `null`; no key ever goes missing. */

type OrNull<T> = { [K in keyof T]: T[K] | null };

export type StateDocument = ReturnType<typeof stateDocument>;

/** `B/V/state` */
export function stateDocument({
  domain,
  work,
  stats,
  startedAt,
  lastStop,
  history,
  uptime,
  lastError,
  quiet,
}: VmSnapshot) {
  const hardware = domain?.hardware;
  const noStop: OrNull<LastStop> = { by: null, reason: null, at: null, seconds: null };
  const noError: OrNull<LastError> = { code: null, message: null, at: null };
  return {
    state: domain?.state ?? 'unknown',
    reason: domain?.reason ?? 'no_such_domain',
    power: domain ? (domain.active ? 'ON' : 'OFF') : null,
    activity: work?.activity ?? 'none',
    phase: work?.phase ?? null,
    deadline: work?.deadline ?? null,
    attempt: work?.attempt ?? null,
    start_after_off: work?.startAfterOff ?? false,
    started_at: startedAt,
    last_stop: lastStop ?? noStop,
    /** The longest of the last ten that were measured; unknown below three. */
    shutdown_expected_seconds: longest(history.stops),
    boot_expected_seconds: longest(history.boots),
    /** Of the time in which it was meant to be up, and the mean response, over 1, 7 and 30 days; as of the last full hour. */
    uptime_percent: uptime.percent,
    response_ms: uptime.ms,
    quiet: quietDocument({ quiet }),
    last_error: lastError ?? noError,
    autostart: domain?.autostart ?? null,
    persistent: domain?.persistent ?? null,
    domain: domain?.name ?? null,
    uuid: domain?.uuid ?? null,
    vcpus: hardware?.vcpus ?? null,
    memory: hardware?.memory ?? null,
    /** `capacity` in bytes, from the latest sample. */
    disks: Object.fromEntries(
      (hardware?.disks ?? []).map(({ target, role, bus, source }) => {
        const capacity = stats?.disks[target]?.capacity ?? null;
        return [target, { role, bus, source, capacity }];
      }),
    ),
    nics: Object.fromEntries(
      byKey(hardware?.nics ?? []).map(([key, { mac, model, source, tap }]) => [key, { mac, model, source, tap }]),
    ),
  };
}

/** In `B/V/state`. */
export function quietDocument({ quiet }: Pick<VmSnapshot, 'quiet'>) {
  return { on: quiet !== null, until: quiet?.until ?? null, by: quiet?.by ?? null };
}

/** `B/V/stats`: the latest sample, with every disk and NIC of the hardware, known or not. */
export function statsDocument({ stats, domain }: VmSnapshot): Stats {
  const { disks = [], nics = [] } = domain?.hardware ?? {};
  const known = stats ?? unknownStats(null);
  const keys = byKey(nics);
  const whole = disks.every(({ target }) => target in known.disks) && keys.every(([key]) => key in known.nics);
  if (whole) return known;
  return {
    ...known,
    disks: { ...Object.fromEntries(disks.map(({ target }) => [target, unknownDisk])), ...known.disks },
    nics: { ...Object.fromEntries(keys.map(([key]) => [key, unknownNic])), ...known.nics },
  };
}

/** The boot led to the Web Assistant, which waits for its user. */
const waiting: ReadonlySet<Verdict> = new Set(['installer', 'recoverable']);

export type CheckDocument = ReturnType<typeof checkDocument>;

/** `B/V/check` */
export function checkDocument(vm: VmSnapshot) {
  const { guest, check, wish, boot } = vm;
  const notAsked: OrNull<ProbeRow> = { outcome: null, ms: null, explanation: null, at: null };
  const failed = check?.problem && !check.wasUp && !waiting.has(check.verdict);
  const stopped = failed && boot ? stoppedAfter(boot) : null;
  const probes = probesOf[guest].map((name: ProbeName) => [name, check?.probes[name] ?? notAsked] as const);
  const own: OfGuest = ofGuest[guest](check);
  return {
    verdict: check?.verdict ?? 'unknown',
    cause: check?.cause ?? 'not_checked',
    reachable: check?.reachable ?? null,
    problem: shownProblem(vm),
    /** Until then, a problem is not shown as one. */
    quiet_until: vm.quiet?.until ?? null,
    reason: check
      ? [check.reason, ...(stopped ? [stopped] : [])].join(' ')
      : 'It has not been checked often enough to tell.',
    next_step: check?.nextStep ?? null,
    since: check?.since ?? null,
    failures: check?.failures ?? 0,
    expected: check?.expected ?? wish,
    probes: Object.fromEntries(probes) as Partial<Record<ProbeName, OrNull<ProbeRow>>>,
    latency_ms: check?.latency ?? null,
    checked_at: check?.checkedAt ?? null,
    next_at: check?.nextAt ?? null,
    boot_seconds: check?.bootSeconds ?? null,
    ...own,
  };
}

/** What only the document of one kind of guest has. */
const ofGuest = {
  dsm: (check: Check | null) => {
    const { httpPort, httpsPort, ...dsm } = check?.dsm ?? unknownDsm;
    return { dsm: { ...dsm, http_port: httpPort, https_port: httpsPort } };
  },
  other: (check: Check | null) => ({
    address: check?.dsm.address ?? null,
    certificate_days: check?.certificateDays ?? null,
  }),
} satisfies Record<GuestKind, unknown>;
type OfGuest = Partial<ReturnType<typeof ofGuest.dsm> & ReturnType<typeof ofGuest.other>>;

export type BootDocument = NonNullable<ReturnType<typeof bootDocument>>;

/** `B/V/boot`: the last boot that went wrong, or a good one since; null: none is known. */
export function bootDocument({ boot }: VmSnapshot) {
  if (!boot) return null;
  const { startedAt, endedAt, result, source, phases, lines, next } = boot;
  const ends = { started_at: startedAt, ended_at: endedAt };
  return { ...ends, result, phase: phaseOf(boot), phases, source, lines, next_in_good_boot: next };
}

export type DoctorDocument = NonNullable<ReturnType<typeof doctorDocument>>;

/** `B/V/doctor`: what is certain harm; null: it was not looked at yet. */
export function doctorDocument({ harm }: VmSnapshot) {
  return harm && { problem: harm.length > 0, findings: harm };
}

export type LoaderDocument = NonNullable<ReturnType<typeof loaderDocument>>;

/** `B/V/loader`; null: no loader is configured. */
export function loaderDocument({ loader, check }: VmSnapshot) {
  if (!loader) return null;
  const { phase, percent, step, result, code, error, rollback, wanted, found, log } = loader;
  const noBackup: OrNull<LoaderBackup> = { file: null, at: null, size: null };
  return {
    ...{ phase, percent, step },
    started_at: loader.startedAt,
    ended_at: loader.endedAt,
    elapsed_seconds: loader.elapsed,
    ...{ result, code, error },
    next_step: loader.nextStep,
    backup: loader.backup ?? noBackup,
    boot_entry: loader.bootEntry,
    rollback,
    armed: loader.armedUntil !== null,
    armed_until: loader.armedUntil,
    wanted,
    /** The running DSM's version, as it last reported it, without its small update. */
    installed: { model: check?.dsm.model ?? null, version: check?.dsm.version ?? null },
    under_way: isUnderWay(loader),
    loader: {
      ...{ name: found?.name ?? null, version: found?.version ?? null, model: found?.model ?? null },
      /** What it was built for, and the newest that it lists for the model. */
      ...{ dsm: found?.dsm ?? null, newest_dsm: found?.newest ?? null },
    },
    log,
  };
}

export type HostDocument = ReturnType<typeof hostDocument>;

/** `B/host/H/state` */
export function hostDocument({ hypervisor: { up, reason, info }, host }: Snapshot) {
  const full = host ? nearlyFull(host) : [];
  return {
    ...{ up, reason, hostname: info?.hostname ?? null },
    ...{ libvirt: info?.libvirt ?? null, hypervisor: info?.hypervisor ?? null },
    cpu: host?.cpu ?? null,
    load: host?.load ?? null,
    memory: host?.memory
      ? { ...host.memory, used: usedPercent(host.memory) }
      : { total: null, available: null, used: null },
    pools: Object.fromEntries(
      Object.entries(host?.pools ?? {}).map(([name, room]) => [name, { ...room, used: usedPercent(room) }]),
    ),
    /** Whether QEMU may soon have to pause a guest, and which pools are nearly full. */
    nearly_full: { problem: full.length > 0, pools: full },
    sampled_at: host?.sampledAt ?? null,
  };
}

/** Identifies a bridge; `session`: this process, so that a bridge recognises its own messages. */
export interface Identity {
  version: string;
  instance: string;
  session: string;
  startedAt: string;
}

export type BridgeDocument = ReturnType<typeof bridgeDocument>;

/** `B/bridge/info` */
export function bridgeDocument(hosts: readonly Snapshot[], { startedAt, ...identity }: Identity) {
  const overdueChecks = overdueIn(hosts);
  const only = hosts.length === 1 ? hosts[0]?.hypervisor.info : null;
  return {
    ...identity,
    started_at: startedAt,
    libvirt: {
      up: hosts.every(({ hypervisor }) => hypervisor.up),
      reason: libvirtTrouble(hosts),
      hostname: only?.hostname ?? null,
      libvirt: only?.libvirt ?? null,
      hypervisor: only?.hypervisor ?? null,
    },
    vms: [...new Set(hosts.flatMap(({ vms }) => Object.keys(vms)))],
    /** Whether every check ran in time, and the keys of the VMs whose checks did not. */
    checks: { overdue: overdueChecks.length > 0, vms: overdueChecks },
  };
}

/** Why libvirt is away, and on which of several hosts; null: nothing is known of that. */
export function libvirtTrouble(hosts: readonly Snapshot[]): string | null {
  const reasons = hosts.flatMap(({ hypervisor: { name, reason } }) => {
    return reason === null ? [] : [name === null ? reason : `${name}: ${reason}`];
  });
  return reasons.length === 0 ? null : reasons.join('; ');
}

/** VMs whose checks did not run in time, on any host. */
export function overdueIn(hosts: readonly Snapshot[]): readonly VmKey[] {
  return [...new Set(hosts.flatMap(({ overdueChecks }) => overdueChecks))];
}
