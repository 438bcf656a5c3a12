import { type ProbeName, type ProbeRow, probeNames, unknownDsm, type Verdict, type Wish } from './check.ts';
import { byKey, type DomainState } from './domain.ts';
import { isUnderWay, type LoaderBackup, type LoaderPhase, type LoaderResult, type WantedDsm } from './loader.ts';
import type { Activity, LastError, LastStop, Phase, Snapshot, VmKey, VmSnapshot } from './snapshot.ts';
import { type Stats, unknownDisk, unknownNic, unknownStats } from './stats.ts';

/** The JSON documents on the topics, as pure projections of the snapshot. Unknown is `null`; no key ever goes missing. */

/** `B/V/state` */
export interface StateDocument {
  state: DomainState;
  reason: string;
  power: 'ON' | 'OFF' | null;
  activity: Activity;
  phase: Phase | null;
  /** When the activity gives up. */
  deadline: string | null;
  /** How often the guest has been asked to power off. */
  attempt: number | null;
  start_after_off: boolean;
  started_at: string | null;
  last_stop: { [K in keyof LastStop]: LastStop[K] | null };
  last_error: { [K in keyof LastError]: LastError[K] | null };
  autostart: boolean | null;
  persistent: boolean | null;
  domain: string | null;
  uuid: string | null;
  vcpus: number | null;
  memory: number | null;
  /** `capacity` in bytes, from the latest sample. */
  disks: Record<string, { role: string; bus: string | null; source: string | null; capacity: number | null }>;
  nics: Record<string, { mac: string; model: string | null; source: string | null; tap: string | null }>;
}

export function stateDocument(vm: VmSnapshot): StateDocument {
  const { domain, work } = vm;
  const hardware = domain?.hardware;
  return {
    state: domain?.state ?? 'unknown',
    reason: domain?.reason ?? 'no_such_domain',
    power: domain ? (domain.active ? 'ON' : 'OFF') : null,
    activity: work?.activity ?? 'none',
    phase: work?.phase ?? null,
    deadline: work?.deadline ?? null,
    attempt: work?.attempt ?? null,
    start_after_off: work?.startAfterOff ?? false,
    started_at: vm.startedAt,
    last_stop: vm.lastStop ?? { by: null, reason: null, at: null, seconds: null },
    last_error: vm.lastError ?? { code: null, message: null, at: null },
    autostart: domain?.autostart ?? null,
    persistent: domain?.persistent ?? null,
    domain: domain?.name ?? null,
    uuid: domain?.uuid ?? null,
    vcpus: hardware?.vcpus ?? null,
    memory: hardware?.memory ?? null,
    disks: Object.fromEntries(
      (hardware?.disks ?? []).map(({ target, role, bus, source }) => [
        target,
        { role, bus, source, capacity: vm.stats?.disks[target]?.capacity ?? null },
      ]),
    ),
    nics: Object.fromEntries(
      byKey(hardware?.nics ?? []).map(([key, { mac, model, source, tap }]) => [key, { mac, model, source, tap }]),
    ),
  };
}

/** `B/V/stats`: the latest sample, with every disk and NIC of the hardware, known or not. */
export function statsDocument(vm: VmSnapshot): Stats {
  const { stats } = vm;
  const hardware = vm.domain?.hardware;
  return {
    ...(stats ?? unknownStats(null)),
    disks: {
      ...Object.fromEntries((hardware?.disks ?? []).map(disk => [disk.target, unknownDisk])),
      ...stats?.disks,
    },
    nics: {
      ...Object.fromEntries(byKey(hardware?.nics ?? []).map(([key]) => [key, unknownNic])),
      ...stats?.nics,
    },
  };
}

/** `B/V/check` */
export interface CheckDocument {
  verdict: Verdict;
  /** The verdict's finer word, as docs/checks.md lists them. */
  cause: string;
  reachable: boolean | null;
  problem: boolean | null;
  reason: string;
  next_step: string | null;
  /** Since when the verdict stands. */
  since: string | null;
  /** Checks in a row that found less than the verdict says. */
  failures: number;
  expected: Wish | null;
  probes: Record<ProbeName, { [K in keyof ProbeRow]: ProbeRow[K] | null }>;
  latency_ms: number | null;
  checked_at: string | null;
  next_at: string | null;
  boot_seconds: number | null;
  dsm: {
    name: string | null;
    model: string | null;
    version: string | null;
    update: number | null;
    address: string | null;
    http_port: number | null;
    https_port: number | null;
  };
}

const notAsked = { outcome: null, ms: null, explanation: null, at: null };

export function checkDocument({ check, wish }: VmSnapshot): CheckDocument {
  const { httpPort, httpsPort, ...dsm } = check?.dsm ?? unknownDsm;
  const row = (name: ProbeName) => [name, check?.probes[name] ?? notAsked] as const;
  return {
    verdict: check?.verdict ?? 'unknown',
    cause: check?.cause ?? 'not_checked',
    reachable: check?.reachable ?? null,
    problem: check?.problem ?? null,
    reason: check?.reason ?? 'It has not been checked often enough to tell.',
    next_step: check?.nextStep ?? null,
    since: check?.since ?? null,
    failures: check?.failures ?? 0,
    expected: check?.expected ?? wish,
    probes: Object.fromEntries(probeNames.map(row)) as CheckDocument['probes'],
    latency_ms: check?.latency ?? null,
    checked_at: check?.checkedAt ?? null,
    next_at: check?.nextAt ?? null,
    boot_seconds: check?.bootSeconds ?? null,
    dsm: { ...dsm, http_port: httpPort, https_port: httpsPort },
  };
}

/** `B/V/loader` */
export interface LoaderDocument {
  phase: LoaderPhase;
  percent: number | null;
  step: string | null;
  started_at: string | null;
  ended_at: string | null;
  elapsed_seconds: number | null;
  result: LoaderResult | null;
  code: string | null;
  error: string | null;
  next_step: string | null;
  backup: { [K in keyof LoaderBackup]: LoaderBackup[K] | null };
  /** What the loader's menu starts next. */
  boot_entry: string | null;
  /** `rollback` can be commanded. */
  rollback: boolean;
  /** `rebuild` and `rollback` need no confirmation, and until when. */
  armed: boolean;
  armed_until: string | null;
  wanted: WantedDsm;
  /** The DSM that runs, as it last told itself, without its small update. */
  installed: { model: string | null; version: string | null };
  under_way: boolean;
  log: readonly string[];
}

/** Null: no loader is configured. */
export function loaderDocument({ loader, check }: VmSnapshot): LoaderDocument | null {
  if (!loader) return null;
  const { phase, percent, step, result, code, error, rollback, wanted, log } = loader;
  return {
    ...{ phase, percent, step },
    started_at: loader.startedAt,
    ended_at: loader.endedAt,
    elapsed_seconds: loader.elapsed,
    ...{ result, code, error },
    next_step: loader.nextStep,
    backup: loader.backup ?? { file: null, at: null, size: null },
    boot_entry: loader.bootEntry,
    rollback,
    armed: loader.armedUntil !== null,
    armed_until: loader.armedUntil,
    wanted,
    installed: { model: check?.dsm.model ?? null, version: check?.dsm.version ?? null },
    under_way: isUnderWay(loader),
    log,
  };
}

/** `B/bridge/info` */
export interface BridgeDocument {
  version: string;
  instance: string;
  /** Of this process: how a bridge knows its own words from another one's. */
  session: string;
  started_at: string;
  libvirt: {
    up: boolean;
    reason: string | null;
    hostname: string | null;
    libvirt: string | null;
    hypervisor: string | null;
  };
  /** Keys of the VMs that it serves. */
  vms: readonly VmKey[];
  /** Whether every check ran when it should have; the keys of those that did not. */
  checks: { overdue: boolean; vms: readonly VmKey[] };
}

/** Which bridge it is that speaks. */
export interface Identity {
  version: string;
  instance: string;
  session: string;
  startedAt: string;
}

export function bridgeDocument({ hypervisor, vms, overdueChecks }: Snapshot, identity: Identity): BridgeDocument {
  return {
    version: identity.version,
    instance: identity.instance,
    session: identity.session,
    started_at: identity.startedAt,
    libvirt: {
      up: hypervisor.up,
      reason: hypervisor.reason,
      hostname: hypervisor.info?.hostname ?? null,
      libvirt: hypervisor.info?.libvirt ?? null,
      hypervisor: hypervisor.info?.hypervisor ?? null,
    },
    vms: Object.keys(vms),
    checks: { overdue: overdueChecks.length > 0, vms: overdueChecks },
  };
}
