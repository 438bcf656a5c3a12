import { bootPhases } from '../../model/boot.ts';
import { type GuestKind, probeOutcomes, probesOf, verdicts } from '../../model/check.ts';
import { activities } from '../../model/commands.ts';
import { byKey, type Disk, type DomainDescription, domainStates } from '../../model/domain.ts';
import { cpuMetrics, diskMetrics, type Metric, memoryMetrics, nicMetrics } from '../../model/metrics.ts';
import { type NotificationType, notificationTypes } from '../../model/notice/notification.ts';
import { controlEntities, type VmControls } from './controls.ts';
import {
  asked,
  binarySensor,
  boot,
  bootMembers,
  check,
  checkMembers,
  checkObject,
  detail,
  diagnostic,
  doctor,
  doctorMembers,
  type Entity,
  eventEntity,
  host,
  hostObject,
  info,
  infoObject,
  inUnit,
  oneOf,
  type Row,
  sensor,
  sentence,
  state,
  stateMembers,
  stateObject,
  stats,
  timestamp,
  total,
  trigger,
} from './entity.ts';
import { loaderEntities } from './loader.ts';

/**
 * THE table: every entity that Home Assistant gets, one a line, with its name, its unit and whether it is on from
 * the start. The discovery payload and docs/entities.md are made from it. The rows that command are in controls.ts, those
 * of the loader in loader.ts.
 */

export type VmEntity = Entity<
  'state' | 'stats' | 'check' | 'boot' | 'doctor' | 'power' | 'command' | 'event' | 'screen' | 'loader'
>;
export type BridgeEntity = Entity<'state' | 'info'>;

export function vmEntities({ hardware }: DomainDescription, controls: VmControls): VmEntity[] {
  const data = hardware.disks.filter(disk => disk.role === 'data');
  return [
    ...controlEntities(controls),
    ...checkEntities,
    ...guestEntities[controls.guest].filter(({ key }) => key !== 'certificate_days' || controls.certificates),
    ...probeEntities(controls.guest),
    ...recordEntities,
    ...triggers,
    ...machineEntities,
    ...(controls.loader ? loaderEntities(controls.commands) : []),
    ...hardware.disks.flatMap(disk => diskEntities(disk, diskName(disk, data.indexOf(disk) + 1))),
    ...byKey(hardware.nics).flatMap(([key], at, { length }) =>
      nicEntities(key, length > 1 ? `Network ${at + 1}` : 'Network'),
    ),
  ];
}

const problem = { device_class: 'problem' } as const;

const checkEntities: readonly VmEntity[] = [
  binarySensor('reachable', 'Reachable', check('reachable'), { device_class: 'connectivity' }, asked),
  binarySensor('problem', 'Problem', check('problem'), problem, asked, {
    attributes: checkMembers('reason', 'next_step', 'verdict', 'expected', 'quiet_until'),
  }),
  sensor('verdict', 'Verdict', check('verdict'), oneOf(verdicts), asked, {
    icon: 'mdi:stethoscope',
    attributes: checkMembers('cause', 'reason', 'next_step', 'since', 'failures'),
  }),
  sensor('last_check', 'Last check', check('checked_at'), timestamp, diagnostic, asked),
  sensor('verdict_reason', 'Reason', check('reason'), sentence, detail, asked),
  sensor('next_step', 'Next step', check('next_step'), sentence, detail, asked),
  sensor('next_check', 'Next check', check('next_at'), timestamp, detail, asked),
  sensor('latency', 'Latency', check('latency_ms'), inUnit('ms'), detail, asked),
  sensor('boot_time', 'Boot time', check('boot_seconds'), inUnit('s'), detail, asked),
];

/** What only one kind of guest tells of itself. */
const guestEntities: Readonly<Record<GuestKind, readonly VmEntity[]>> = {
  dsm: [
    sensor('dsm_version', 'DSM version', check('dsm', 'version'), detail, asked, { attributes: checkObject('dsm') }),
    sensor('dsm_model', 'DSM model', check('dsm', 'model'), detail, asked),
    sensor('dsm_name', 'DSM name', check('dsm', 'name'), detail, asked),
    sensor('dsm_address', 'DSM address', check('dsm', 'address'), detail, asked),
  ],
  other: [
    sensor('address', 'Address', check('address'), detail, asked),
    sensor('certificate_days', 'Certificate days', check('certificate_days'), inUnit('d'), diagnostic, asked, {
      icon: 'mdi:certificate',
    }),
  ],
};

const fine = { reading: { per: 1, digits: 2 }, suggested_display_precision: 2 } as const;

/** What the record of the checks comes to. */
const recordEntities: readonly VmEntity[] = (
  [
    ['day', '1 day', diagnostic],
    ['week', '7 days', detail],
    ['month', '30 days', detail],
  ] as const
).flatMap(([period, name, kind]) => [
  sensor(`uptime_${period}`, `Uptime ${name}`, state('uptime_percent', period), inUnit('%'), fine, kind, asked),
  sensor(`response_${period}`, `Response ${name}`, state('response_ms', period), inUnit('ms'), detail, asked),
]);

function probeEntities(guest: GuestKind): VmEntity[] {
  return probesOf[guest].map(name =>
    sensor(`probe_${name}`, `Probe ${name}`, check('probes', name, 'outcome'), oneOf(probeOutcomes), detail, asked, {
      attributes: checkObject('probes', name),
    }),
  );
}

/** What automations most often begin with; the event entity has all. */
const triggerTypes = [
  ...(['problem', 'solved', 'came_up', 'boot_stuck', 'started', 'shut_down', 'power_cut', 'crashed'] as const),
  ...(['rebooted', 'paused_on_io_error', 'shutdown_timed_out', 'command_failed'] as const),
] satisfies readonly NotificationType[];
const triggers: readonly VmEntity[] = triggerTypes.map(type =>
  trigger<'event'>(`on_${type}`, type, { topic: 'event', path: ['event_type'] }, { payload: type }),
);

const machineEntities: readonly VmEntity[] = [
  // Also while it shuts down, but not while it is paused.
  binarySensor('running', 'Running', state('state'), {
    device_class: 'running',
    reading: { on: ['running', 'idle', 'shutting_down'] },
  }),
  // The other details for automations, without another entity to enable.
  sensor('state', 'State', state('state'), oneOf(domainStates), {
    icon: 'mdi:server',
    attributes: stateMembers('reason', 'last_stop', 'shutdown_expected_seconds', 'last_error'),
  }),
  sensor('state_reason', 'State reason', state('reason'), detail),
  sensor('activity', 'Activity', state('activity'), oneOf(activities), {
    icon: 'mdi:progress-wrench',
    attributes: stateMembers('phase', 'deadline', 'attempt', 'start_after_off'),
  }),
  eventEntity('event', 'Event', { topic: 'event', path: [] }, asked, {
    event_types: notificationTypes,
    icon: 'mdi:message-text-clock',
  }),
  sensor('deadline', 'Deadline', state('deadline'), timestamp, detail),
  sensor('last_start', 'Last start', state('started_at'), timestamp, detail),
  sensor('last_stop', 'Last stop', state('last_stop', 'at'), timestamp, detail, {
    attributes: stateObject('last_stop'),
  }),
  sensor('last_stop_reason', 'Last stop reason', state('last_stop', 'reason'), detail),
  sensor('shutdown_took', 'Shutdown took', state('last_stop', 'seconds'), inUnit('s'), detail),
  // An automation for the UPS goes by it.
  sensor('shutdown_takes', 'Shutdown takes', state('shutdown_expected_seconds'), inUnit('s'), diagnostic),
  sensor('boot', 'Boot', boot('phase'), oneOf(bootPhases), diagnostic, {
    icon: 'mdi:rocket-launch-outline',
    attributes: bootMembers('result', 'started_at', 'ended_at', 'phases', 'lines', 'next_in_good_boot'),
  }),
  sensor('boot_takes', 'Boot takes', state('boot_expected_seconds'), inUnit('s'), detail),
  sensor('last_error', 'Last error', state('last_error', 'message'), sentence, detail, {
    attributes: stateObject('last_error'),
  }),
  binarySensor('doctor', 'Doctor', doctor('problem'), problem, diagnostic, {
    attributes: doctorMembers('findings'),
  }),
  sensor('vcpus', 'vCPUs', state('vcpus'), detail),
  ...metricEntities(cpuMetrics, ['cpu']),
  ...metricEntities(memoryMetrics, ['memory']),
  binarySensor('stats_stale', 'Stale statistics', stats('stale'), problem, diagnostic),
];

function diskName({ role, target }: Disk, number: number): string {
  return { data: `Disk ${number}`, loader: 'Loader disk', removable: `Removable disk ${target}` }[role];
}

function diskEntities({ target, role }: Disk, name: string): VmEntity[] {
  const attributes = { ...stateObject('disks', target), and: { target } };
  return metricEntities(diskMetrics, ['disks', target], `disk_${slug(target)}_`, `${name} `, { attributes }).map(
    entity => (role === 'data' ? entity : { ...entity, ...detail }),
  );
}

function nicEntities(hex: string, name: string): VmEntity[] {
  return metricEntities(nicMetrics, ['nics', hex], `nic_${hex}_`, `${name} `, { attributes: stateObject('nics', hex) });
}

/** `first`: extra traits of the numbers that most people want. */
function metricEntities(
  table: Readonly<Record<string, Metric>>,
  place: readonly string[],
  key = '',
  name = '',
  first: Row<'stats' | 'state'> = {},
): VmEntity[] {
  return Object.entries(table).flatMap(([number, { entity, grows }]) => {
    if (!entity) return [];
    const { unit, icon } = entity;
    const traits = [unit ? inUnit(unit) : {}, grows ? total : {}, icon ? { icon, ...first } : detail];
    const value = { topic: 'stats', path: [...place, number] } as const;
    return [sensor<'stats' | 'state'>(`${key}${entity.key}`, `${name}${entity.name}`, value, ...traits)];
  });
}

const connectivity = { device_class: 'connectivity', ...diagnostic } as const;

/** Shows "disconnected" when the bridge is gone; all other entities become unavailable then. */
const online = { ...connectivity, payload_on: 'online', payload_off: 'offline', available: 'always' } as const;

export const bridgeEntities: readonly BridgeEntity[] = [
  binarySensor('connection', 'Connection state', { topic: 'state', path: [] }, online),
  binarySensor('libvirt', 'Libvirt connection', info('libvirt', 'up'), connectivity, {
    attributes: infoObject('libvirt'),
  }),
  sensor('libvirt_reason', 'Libvirt failure reason', info('libvirt', 'reason'), sentence, detail),
  binarySensor('checks_overdue', 'Checks overdue', info('checks', 'overdue'), problem, diagnostic, {
    attributes: infoObject('checks'),
  }),
  sensor('version', 'Version', info('version'), diagnostic),
  sensor('started', 'Started', info('started_at'), timestamp, detail),
  sensor('libvirt_version', 'Libvirt version', info('libvirt', 'libvirt'), detail),
  sensor('hypervisor_version', 'Hypervisor version', info('libvirt', 'hypervisor'), detail),
];

export type HostEntity = Entity<'availability' | 'state'>;

/** `pools`: their names. */
export function hostEntities(pools: readonly string[]): HostEntity[] {
  const place = { topic: 'availability', path: [] } as const;
  return [
    binarySensor('connection', 'Connection state', place, { ...online, available: 'bridge' }),
    sensor('reason', 'Failure reason', host('reason'), sentence, detail, { available: 'bridge' }),
    sensor('cpu', 'CPU', host('cpu'), inUnit('%'), { icon: 'mdi:cpu-64-bit' }),
    sensor('memory_used', 'Memory used', host('memory', 'used'), inUnit('%'), { icon: 'mdi:memory' }),
    sensor('memory_available', 'Memory available', host('memory', 'available'), inUnit('GB'), detail),
    sensor('load', 'Load', host('load'), { state_class: 'measurement' }, detail, { icon: 'mdi:gauge' }),
    binarySensor('pools_nearly_full', 'Storage nearly full', host('nearly_full', 'problem'), problem, {
      attributes: hostObject('nearly_full'),
    }),
    ...pools.flatMap(name => {
      const key = `pool_${slug(encodeURIComponent(name))}`;
      const of = (what: string) => ({ topic: 'state', path: ['pools', name, what] }) as const;
      return [
        sensor(`${key}_available`, `${name} available`, of('available'), inUnit('GB'), { icon: 'mdi:harddisk' }),
        sensor(`${key}_used`, `${name} used`, of('used'), inUnit('%'), detail),
      ];
    }),
    sensor('libvirt_version', 'Libvirt version', host('libvirt'), detail),
    sensor('hypervisor_version', 'Hypervisor version', host('hypervisor'), detail),
  ];
}

/** Lower case letters, digits and single underscores: fit for a topic, a key and an entity id. */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_|_$/g, '');
}
