import type { BridgeOptions, VmOptions } from '../../src/discovery/entities/payload.ts';
import { probesOf } from '../../src/model/check.ts';
import { commandWords, defaultCommands } from '../../src/model/commands.ts';
import {
  bootDocument,
  bridgeDocument,
  checkDocument,
  doctorDocument,
  type Identity,
  loaderDocument,
  stateDocument,
  statsDocument,
} from '../../src/model/documents.ts';
import {
  type Disk,
  type Domain,
  type DomainDescription,
  type Nic,
  unknownDescription,
  unknownHardware,
} from '../../src/model/domain.ts';
import { noHistory } from '../../src/model/history/history.ts';
import { noUptime } from '../../src/model/history/uptime.ts';
import { idleLoader, type Loader } from '../../src/model/loader.ts';
import { emptyVm, type HypervisorInfo, type VmSnapshot } from '../../src/model/snapshot.ts';
import { topics } from '../../src/model/topics.ts';

/** A DSM virtual machine as people build it, and everything the bridge can know of it. */

export const disk = (target: string, role: Disk['role'] = 'data'): Disk => ({
  target,
  role,
  bus: role === 'loader' ? 'usb' : 'scsi',
  source: role === 'removable' ? null : `/dev/disk/by-id/ata-${target}`,
});

export const nic = (mac: string): Nic => ({
  mac,
  model: 'virtio',
  source: 'br0',
  tap: 'vnet3',
  type: 'bridge',
  link: null,
});

export const description: DomainDescription = {
  uuid: '6e8d4d1c-6f5b-4d42-9f0c-0c5f2f6f9a11',
  name: 'DSM',
  on: null,
  hardware: {
    ...unknownHardware,
    machine: 'pc-q35-7.2',
    vcpus: 4,
    memory: 4 * 2 ** 30,
    disks: [disk('sda'), disk('sdb'), disk('hdz', 'loader')],
    nics: [nic('52:54:00:d5:30:01')],
  },
  dsm: unknownDescription,
};

export const withHardware = (disks: Disk[], nics: Nic[]): DomainDescription => ({
  ...description,
  hardware: { ...description.hardware, disks, nics },
});

export const bridge: BridgeOptions = {
  prefix: 'homeassistant',
  topics: topics('dsm2mqtt'),
  instance: 'nas-host',
  version: '0.1.0',
  homepage: 'https://docs.example/',
  page: null,
  expires: true,
};

export const vm: VmOptions = {
  key: 'DSM',
  label: 'DSM VM',
  statsInterval: 30,
  linkByMac: false,
  suggestedArea: null,
  commands: defaultCommands,
  powerCategory: 'config',
  loader: false,
  guest: 'dsm',
  certificates: false,
};

/** All that there can be. */
export const vmWithLoader: VmOptions = { ...vm, commands: commandWords, loader: true };

export const hypervisor: HypervisorInfo = { hostname: 'nas-host', libvirt: '9.0.0', hypervisor: 'QEMU 7.2.22' };

const identity: Identity = {
  version: '0.1.0',
  instance: 'nas-host',
  session: 's',
  startedAt: '2026-11-22T07:00:00.000Z',
};
const at = '2026-11-22T08:00:00.000Z';
const domain: Domain = {
  ...description,
  active: true,
  state: 'running',
  reason: 'booted',
  persistent: true,
  autostart: true,
};

/** Every unknown number known, each a different one. */
function filled<T>(sample: T): T {
  let next = 1;
  return JSON.parse(JSON.stringify(sample), (_key, value) => (value === null ? next++ * 1_234_567 : value));
}

export const idle = idleLoader({ model: 'DS918+', version: '7.2.1-69057' });

/** Not as it ever is, but with everything in it. */
const told: Loader = {
  ...idle,
  ...{ phase: 'building', percent: 62, step: 'It builds the loader.', startedAt: at, endedAt: at, elapsed: 312.5 },
  ...{ result: 'failed', code: 'no_recipe', error: 'There is no recipe. '.repeat(20), nextStep: 'Look at the log.' },
  backup: { file: 'DSM-1.img.gz', at, size: 2 ** 27 },
  ...{ bootEntry: 'Tiny Core Image Build', rollback: true, armedUntil: at, log: ['one', 'two'] },
};

const unread: VmSnapshot = { ...emptyVm('DSM', 'DSM VM'), loader: idle };
const blank = statsDocument({ ...unread, domain });

const known: VmSnapshot = {
  ...unread,
  domain,
  work: {
    activity: 'shutting_down',
    phase: 'waiting_for_guest',
    since: at,
    deadline: at,
    attempt: 2,
    startAfterOff: true,
  },
  startedAt: at,
  lastStop: { by: 'bridge', reason: 'shutdown', at, seconds: 41 },
  history: { ...noHistory, stops: [41, 42.5, 40], boots: [80, 81, 82] },
  uptime: { ...noUptime, percent: { day: 99.93, week: 100, month: 97.5 }, ms: { day: 1.2, week: 2, month: 3.4 } },
  lastError: { code: 'timed_out', message: 'DSM did not shut down. '.repeat(20), at },
  stats: filled({ ...blank, sampled_at: at }),
  boot: {
    ...{ startedAt: at, endedAt: at, result: 'problem', source: 'log' },
    phases: { menu: 4.2, loader: null, kernel: 9.1, init: null, up: null },
    ...{ lines: ['[    1.0] Kernel panic'], next: ['[    1.1] Run /init as init process'] },
  },
  harm: [{ level: 'harm', code: 'no_acpi', seen: 'No `<acpi/>`.', message: 'It has no button.', advice: 'Add it.' }],
  loader: told,
  check: {
    verdict: 'degraded',
    cause: 'port_closed',
    reachable: true,
    problem: true,
    reason: 'DSM answers at 192.168.1.20, but not on port 445. '.repeat(6),
    nextStep: 'Look at its services.',
    since: at,
    failures: 1,
    expected: 'running',
    probes: Object.fromEntries(
      probesOf.dsm.map(name => [name, { outcome: 'ok', ms: 1.5, explanation: 'It answers.', at }] as const),
    ),
    latency: 0.4,
    checkedAt: at,
    nextAt: at,
    wasUp: true,
    bootSeconds: 93.4,
    certificateDays: null,
    dsm: {
      ...{ name: 'diskstation', model: 'DS918+', version: '7.1.1-42962', update: 6, address: '192.168.1.20' },
      ...{ httpPort: 5_000, httpsPort: 5_001 },
    },
  },
};

/** By topic, what is on it: with everything known, with nothing known, and with nothing in it. */
export const documents = {
  full: published(known, true),
  unknown: published({ ...unread, domain: { ...domain, autostart: null } }, false),
  empty: () => ({}),
};

function published(snapshot: VmSnapshot, up: boolean) {
  const { state, stats, check, boot, doctor, loader } = bridge.topics.vm('DSM');
  const hypervisorNow = { name: null, up, reason: up ? 'none, for the test' : null, info: up ? hypervisor : null };
  const whole = { hypervisor: hypervisorNow, host: null, vms: {}, overdueChecks: [] };
  const byTopic: Record<string, object> = {
    [state]: stateDocument(snapshot),
    [stats]: statsDocument(snapshot),
    [check]: checkDocument(snapshot),
    [boot]: bootDocument(snapshot) ?? {},
    [doctor]: doctorDocument(snapshot) ?? {},
    [loader]: loaderDocument(snapshot) ?? {},
    [bridge.topics.bridge.info]: bridgeDocument([whole], identity),
  };
  return (topic: string): object => byTopic[topic] ?? {};
}
