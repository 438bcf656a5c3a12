import { probeNames, probeOutcomes, verdicts } from '../../model/check.ts';
import { byKey, type Disk, type DomainDescription, domainStates } from '../../model/domain.ts';
import { happeningTypes } from '../../model/notification.ts';
import { activities } from '../../model/snapshot.ts';
import type { DiskStats, NicStats } from '../../model/stats.ts';
import { controlEntities, type VmControls } from './controls.ts';
import {
  binarySensor,
  check,
  checkMembers,
  checkObject,
  type Entity,
  happening,
  info,
  infoObject,
  type Row,
  sensor,
  state,
  stateMembers,
  stateObject,
  stats,
} from './entity.ts';
import { loaderEntities } from './loader.ts';
import {
  asked,
  detail,
  diagnostic,
  gigabytes,
  mebibytes,
  megabitsPerSecond,
  megabytesPerSecond,
  milliseconds,
  oneOf,
  percent,
  perSecond,
  seconds,
  sentence,
  timestamp,
  total,
} from './traits.ts';

/**
 * THE table: every entity that Home Assistant is told of, one a line, with its name, its unit and whether it is on from
 * the start. The discovery payload and docs/entities.md are made from it. What commands is in controls.ts, the loader's
 * rows are in loader-entities.ts.
 */

export type VmEntity = Entity<'state' | 'stats' | 'check' | 'power' | 'command' | 'event' | 'screen' | 'loader'>;
export type BridgeEntity = Entity<'state' | 'info'>;

export function vmEntities({ hardware }: DomainDescription, controls: VmControls): VmEntity[] {
  const data = hardware.disks.filter(disk => disk.role === 'data');
  return [
    ...controlEntities(controls),
    ...checkEntities,
    ...machineEntities,
    ...(controls.loader ? loaderEntities(controls.commands) : []),
    ...hardware.disks.flatMap(disk => diskEntities(disk, diskName(disk, data.indexOf(disk) + 1))),
    ...byKey(hardware.nics).flatMap(([key], at, { length }) =>
      nicEntities(key, length > 1 ? `Network ${at + 1}` : 'Network'),
    ),
  ];
}

const checkEntities: readonly VmEntity[] = [
  binarySensor('reachable', 'Reachable', check('reachable'), { device_class: 'connectivity' }, asked),
  binarySensor('problem', 'Problem', check('problem'), { device_class: 'problem' }, asked, {
    attributes: checkMembers('reason', 'next_step', 'verdict', 'expected'),
  }),
  sensor('verdict', 'Verdict', check('verdict'), oneOf(verdicts), asked, {
    icon: 'mdi:stethoscope',
    attributes: checkMembers('cause', 'reason', 'next_step', 'since', 'failures'),
  }),
  sensor('last_check', 'Last check', check('checked_at'), timestamp, diagnostic, asked),
  sensor('verdict_reason', 'Reason', check('reason'), sentence, detail, asked),
  sensor('next_step', 'Next step', check('next_step'), sentence, detail, asked),
  sensor('next_check', 'Next check', check('next_at'), timestamp, detail, asked),
  sensor('latency', 'Latency', check('latency_ms'), milliseconds, detail, asked),
  sensor('boot_time', 'Boot time', check('boot_seconds'), seconds, detail, asked),
  sensor('dsm_version', 'DSM version', check('dsm', 'version'), detail, asked, { attributes: checkObject('dsm') }),
  sensor('dsm_model', 'DSM model', check('dsm', 'model'), detail, asked),
  sensor('dsm_name', 'DSM name', check('dsm', 'name'), detail, asked),
  sensor('dsm_address', 'DSM address', check('dsm', 'address'), detail, asked),
  ...probeNames.map(name =>
    sensor(`probe_${name}`, `Probe ${name}`, check('probes', name, 'outcome'), oneOf(probeOutcomes), detail, asked, {
      attributes: checkObject('probes', name),
    }),
  ),
];

const machineEntities: readonly VmEntity[] = [
  // The rest of the story for automations, without another entity to enable.
  sensor('state', 'State', state('state'), oneOf(domainStates), {
    icon: 'mdi:server',
    attributes: stateMembers('reason', 'last_stop', 'last_error'),
  }),
  sensor('state_reason', 'State reason', state('reason'), detail),
  sensor('activity', 'Activity', state('activity'), oneOf(activities), {
    icon: 'mdi:progress-wrench',
    attributes: stateMembers('phase', 'deadline', 'attempt', 'start_after_off'),
  }),
  happening('event', 'Event', { topic: 'event', path: [] }, detail, asked, {
    event_types: happeningTypes,
    icon: 'mdi:message-text-clock',
  }),
  sensor('deadline', 'Deadline', state('deadline'), timestamp, detail),
  sensor('last_start', 'Last start', state('started_at'), timestamp, detail),
  sensor('last_stop', 'Last stop', state('last_stop', 'at'), timestamp, detail, {
    attributes: stateObject('last_stop'),
  }),
  sensor('last_stop_reason', 'Last stop reason', state('last_stop', 'reason'), detail),
  sensor('shutdown_took', 'Shutdown took', state('last_stop', 'seconds'), seconds, detail),
  sensor('last_error', 'Last error', state('last_error', 'message'), sentence, detail, {
    attributes: stateObject('last_error'),
  }),
  sensor('vcpus', 'vCPUs', state('vcpus'), detail),
  sensor('cpu', 'CPU', stats('cpu', 'percent'), percent, { icon: 'mdi:cpu-64-bit' }),
  sensor('cpu_time', 'CPU time', stats('cpu', 'seconds'), seconds, total, detail),
  sensor('memory_used', 'Memory used', stats('memory', 'used'), mebibytes, { icon: 'mdi:memory' }),
  sensor('memory_used_percent', 'Memory used share', stats('memory', 'used_percent'), percent, detail),
  sensor('memory_total', 'Memory total', stats('memory', 'total'), mebibytes, detail),
  sensor('memory_usable', 'Memory usable', stats('memory', 'usable'), mebibytes, detail),
  sensor('memory_unused', 'Memory unused', stats('memory', 'unused'), mebibytes, detail),
  sensor('memory_resident', 'Memory resident', stats('memory', 'resident'), mebibytes, detail),
  binarySensor('stats_stale', 'Stale statistics', stats('stale'), { device_class: 'problem' }, diagnostic),
];

function diskName({ role, target }: Disk, number: number): string {
  return { data: `Disk ${number}`, loader: 'Loader disk', removable: `Removable disk ${target}` }[role];
}

function diskEntities({ target, role }: Disk, name: string): VmEntity[] {
  const disk = (key: string, what: string, value: keyof DiskStats, ...traits: Row<'state' | 'stats'>[]) =>
    sensor(`disk_${slug(target)}_${key}`, `${name} ${what}`, stats('disks', target, value), ...traits);
  const attributes = { ...stateObject('disks', target), and: { target } };
  const main = { icon: 'mdi:harddisk', attributes, ...(role !== 'data' && detail) } as const;
  return [
    disk('read_rate', 'read', 'read_bytes_per_second', megabytesPerSecond, main),
    disk('write_rate', 'write', 'write_bytes_per_second', megabytesPerSecond, main),
    disk('read_total', 'read total', 'read_bytes', gigabytes, total, detail),
    disk('write_total', 'write total', 'write_bytes', gigabytes, total, detail),
    disk('read_operations', 'read operations', 'read_operations_per_second', perSecond('ops'), detail),
    disk('write_operations', 'write operations', 'write_operations_per_second', perSecond('ops'), detail),
    disk('flush_operations', 'flush operations', 'flush_operations_per_second', perSecond('ops'), detail),
    disk('read_latency', 'read latency', 'read_latency_ms', milliseconds, detail),
    disk('write_latency', 'write latency', 'write_latency_ms', milliseconds, detail),
    disk('flush_latency', 'flush latency', 'flush_latency_ms', milliseconds, detail),
    disk('errors', 'errors', 'errors', total, detail),
    disk('capacity', 'capacity', 'capacity', gigabytes, detail),
    disk('allocation', 'allocation', 'allocation', gigabytes, detail),
    disk('physical', 'physical size', 'physical', gigabytes, detail),
  ];
}

function nicEntities(hex: string, name: string): VmEntity[] {
  const nic = (key: string, what: string, value: keyof NicStats, ...traits: Row<'state' | 'stats'>[]) =>
    sensor(`nic_${hex}_${key}`, `${name} ${what}`, stats('nics', hex, value), ...traits);
  const attributes = stateObject('nics', hex);
  return [
    nic('rx_rate', 'receive', 'rx_bytes_per_second', megabitsPerSecond, { icon: 'mdi:download-network', attributes }),
    nic('tx_rate', 'send', 'tx_bytes_per_second', megabitsPerSecond, { icon: 'mdi:upload-network', attributes }),
    nic('rx_total', 'receive total', 'rx_bytes', gigabytes, total, detail),
    nic('tx_total', 'send total', 'tx_bytes', gigabytes, total, detail),
    nic('rx_packets', 'receive packets', 'rx_packets_per_second', perSecond('packets'), detail),
    nic('tx_packets', 'send packets', 'tx_packets_per_second', perSecond('packets'), detail),
    nic('rx_errors', 'receive errors', 'rx_errors', total, detail),
    nic('tx_errors', 'send errors', 'tx_errors', total, detail),
    nic('rx_drops', 'receive drops', 'rx_drops', total, detail),
    nic('tx_drops', 'send drops', 'tx_drops', total, detail),
  ];
}

const connectivity = { device_class: 'connectivity', ...diagnostic } as const;

/** Says "disconnected" when the bridge is gone, where all else turns unavailable. */
const online = { ...connectivity, payload_on: 'online', payload_off: 'offline', available: 'always' } as const;

export const bridgeEntities: readonly BridgeEntity[] = [
  binarySensor('connection', 'Connection state', { topic: 'state', path: [] }, online),
  binarySensor('libvirt', 'Libvirt connection', info('libvirt', 'up'), connectivity, {
    attributes: infoObject('libvirt'),
  }),
  sensor('libvirt_reason', 'Libvirt failure reason', info('libvirt', 'reason'), sentence, detail),
  binarySensor('checks_overdue', 'Checks overdue', info('checks', 'overdue'), { device_class: 'problem' }, diagnostic, {
    attributes: infoObject('checks'),
  }),
  sensor('version', 'Version', info('version'), diagnostic),
  sensor('started', 'Started', info('started_at'), timestamp, detail),
  sensor('libvirt_version', 'Libvirt version', info('libvirt', 'libvirt'), detail),
  sensor('hypervisor_version', 'Hypervisor version', info('libvirt', 'hypervisor'), detail),
];

/** Lower case letters, digits and single underscores: fit for a topic, a key and an entity id. */
export function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_|_$/g, '');
}
