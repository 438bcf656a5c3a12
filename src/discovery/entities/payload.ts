import type { GuestKind } from '../../model/check.ts';
import { type DomainDescription, unknownDescription } from '../../model/domain.ts';
import type { HypervisorInfo, VmKey } from '../../model/snapshot.ts';
import type { Topics } from '../../model/topics.ts';
import type { VmControls } from './controls.ts';
import type { Entity, Platform } from './entity.ts';
import { bridgeEntities, hostEntities, slug, vmEntities } from './table.ts';
import { attributesTemplate, availabilityTemplate, valueTemplate } from './template.ts';

/**
 * Home Assistant's device discovery: one retained message a device, made from the entity table. Pure; in full words, which
 * abbreviations.ts makes short. Needs Home Assistant 2025.10, for `default_entity_id`.
 */

export interface Discovery {
  topic: string;
  payload: DevicePayload;
}

export interface DevicePayload {
  device: Readonly<Record<string, string | readonly string[] | Connections>>;
  origin: { name: string; sw_version: string; support_url: string };
  availability: readonly { topic: string }[];
  availability_mode: 'all';
  qos: 1;
  components: Readonly<Record<string, Component>>;
}

type Connections = readonly (readonly ['mac', string])[];

/** A component with only its platform: Home Assistant removes the entity. */
export interface Component {
  platform: Platform;
  [option: string]: unknown;
}

export interface BridgeOptions {
  prefix: string;
  topics: Topics;
  /** Tells bridges on one broker apart. */
  instance: string;
  version: string;
  /** Where people get help. */
  homepage: string;
  /** Of its own page, for people; null: it has none. */
  page: string | null;
  /** Home Assistant can say how long a command is valid: from 2026.6 on, if the broker speaks MQTT 5. */
  readonly expires: boolean;
}

export interface VmOptions extends VmControls {
  key: VmKey;
  label: string;
  /** Seconds between two samples. */
  statsInterval: number;
  linkByMac: boolean;
  suggestedArea: string | null;
}

/** `hypervisor` is null as long as libvirt has not been reached. */
export function vmDevicePayload(
  bridge: BridgeOptions,
  vm: VmOptions,
  description: DomainDescription,
  hypervisor: HypervisorInfo | null,
): Discovery {
  const topics = bridge.topics.vm(vm.key);
  // It may have been DSM before.
  const { model, version, url } = vm.guest === 'dsm' ? description.dsm : unknownDescription;
  return discovery(bridge, {
    id: vmId(description),
    slug: slug(vm.key) || 'vm',
    about: {
      name: vm.label,
      manufacturer: 'QEMU',
      model: model ?? models[vm.guest],
      ...(version && { sw_version: `DSM ${version}` }),
      ...(url && { configuration_url: url }),
      ...(vm.suggestedArea && { suggested_area: vm.suggestedArea }),
      ...(vm.linkByMac && { connections: connections(description) }),
      ...(description.hardware.machine && { model_id: description.hardware.machine }),
      ...(hypervisor && { hw_version: `${hypervisor.hypervisor}, libvirt ${hypervisor.libvirt}` }),
      via_device: description.on === null ? bridgeId(bridge.instance) : hostId(bridge.instance, description.on),
    },
    availability: [bridge.topics.bridge.state, topics.availability],
    topics,
    expiry: { topic: topics.stats, seconds: Math.max(180, Math.ceil(4 * vm.statsInterval)) },
    entities: vmEntities(description, vm),
  });
}

function connections({ hardware }: DomainDescription): Connections {
  return [...new Set(hardware.nics.map(({ mac }) => mac))].map(mac => ['mac', mac]);
}

const models = { dsm: 'DSM virtual machine', other: 'Virtual machine' } as const satisfies Record<GuestKind, string>;

export function vmDeviceTopic({ prefix }: Pick<BridgeOptions, 'prefix'>, description: DomainDescription): string {
  return deviceTopic(prefix, vmId(description));
}

export function bridgeDeviceTopic({ prefix, instance }: Pick<BridgeOptions, 'prefix' | 'instance'>): string {
  return deviceTopic(prefix, bridgeId(instance));
}

export function bridgeDevicePayload(bridge: BridgeOptions): Discovery {
  const { topics, instance, version, page } = bridge;
  return discovery(bridge, {
    id: bridgeId(instance),
    slug: slug(`${app} ${instance}`),
    about: {
      ...{ name: `${app} ${instance}`, manufacturer: app, model: 'Bridge', sw_version: version },
      ...(page && { configuration_url: page }),
    },
    availability: [topics.bridge.state],
    topics: topics.bridge,
    expiry: null,
    entities: bridgeEntities,
  });
}

export function hostDeviceTopic(
  { prefix, instance }: Pick<BridgeOptions, 'prefix' | 'instance'>,
  name: string,
): string {
  return deviceTopic(prefix, hostId(instance, name));
}

/** One of several hosts. `pools`: names of its storage pools. */
export function hostDevicePayload(
  bridge: BridgeOptions,
  name: string,
  pools: readonly string[],
  hypervisor: HypervisorInfo | null,
): Discovery {
  const { topics, instance } = bridge;
  const own = topics.host(name);
  return discovery(bridge, {
    id: hostId(instance, name),
    slug: slug(`${app} ${name}`),
    about: {
      ...{ name, manufacturer: app, model: 'Host', via_device: bridgeId(instance) },
      ...(hypervisor && { sw_version: `${hypervisor.hypervisor}, libvirt ${hypervisor.libvirt}` }),
    },
    availability: [topics.bridge.state, own.availability],
    topics: own,
    expiry: null,
    entities: hostEntities(pools),
  });
}

const app = 'dsm2mqtt';

function deviceTopic(prefix: string, id: string): string {
  return `${prefix}/device/${id}/config`;
}

function vmId({ uuid }: DomainDescription): string {
  return `${app}_${uuid}`;
}

function hostId(instance: string, name: string): string {
  return `${app}_host_${slug(encodeURIComponent(instance))}_${name}`;
}

function bridgeId(instance: string): string {
  // Percent-encoded, so that names without a Latin letter differ too.
  return `${app}_bridge_${slug(encodeURIComponent(instance))}`;
}

interface Device<Topic extends string> {
  id: string;
  slug: string;
  about: Readonly<Record<string, string | Connections>>;
  /** The bridge's own first. */
  availability: readonly string[];
  topics: Readonly<Record<Topic, string>>;
  /** Messages on this topic are not retained: without a new one, the values become unavailable. */
  expiry: { topic: string; seconds: number } | null;
  entities: readonly Entity<Topic>[];
}

function discovery<T extends string>(
  { prefix, version, homepage, expires }: BridgeOptions,
  device: Device<T>,
): Discovery {
  return {
    topic: deviceTopic(prefix, device.id),
    payload: {
      device: { identifiers: [device.id], ...device.about },
      origin: { name: app, sw_version: version, support_url: homepage },
      availability: device.availability.map(topic => ({ topic })),
      availability_mode: 'all',
      qos: 1,
      components: Object.fromEntries(device.entities.map(entity => [entity.key, component(entity, device, expires)])),
    },
  };
}

/** Seconds: of a button that was pressed while the message could not come, nobody expects anything any more. */
const commandLife = 60;

function component<T extends string>(entity: Entity<T>, device: Device<T>, expires: boolean): Component {
  const { id, slug, topics, expiry } = device;
  const { key, platform, name, value, reading, available, only_while, ...more } = entity;
  const { attributes, command_topic, image_topic, ...traits } = more;
  const state_topic = value && topics[value.topic];
  const value_template = value?.path.length ? { value_template: valueTemplate(value.path, reading) } : null;
  if (platform === 'device_automation') {
    const automation = { automation_type: 'trigger', type: 'event', subtype: name, topic: state_topic };
    return { platform, ...automation, payload: traits.payload, ...value_template };
  }
  return {
    platform,
    unique_id: `${id}_${key}`,
    default_entity_id: `${platform}.${slug}_${key}`,
    name,
    ...traits,
    ...((available ?? only_while) && { availability: availabilityOf(entity, device) }),
    ...(state_topic && { state_topic }),
    ...value_template,
    ...(state_topic && state_topic === expiry?.topic && { expire_after: expiry.seconds }),
    ...(attributes && {
      json_attributes_topic: topics[attributes.topic],
      json_attributes_template: attributesTemplate(attributes.path, attributes.and, attributes.only),
    }),
    ...(command_topic && {
      command_topic: topics[command_topic],
      ...(expires && { message_expiry_interval: commandLife }),
    }),
    ...(image_topic && { image_topic: topics[image_topic] }),
  };
}

/** Only if it differs from the availability of the whole device. */
function availabilityOf<T extends string>({ available, only_while }: Entity<T>, device: Device<T>) {
  const count = available && { always: 0, bridge: 1 }[available];
  const usual = device.availability.slice(0, count).map(topic => ({ topic }));
  if (!only_while) return usual;
  return [...usual, { topic: device.topics[only_while.topic], value_template: availabilityTemplate(only_while.path) }];
}

/**
 * What to store of a payload: the platform by component key. Home Assistant keeps an entity that the next payload
 * merely leaves out; a message must remove each.
 */
export type Components = Readonly<Record<string, Platform>>;

export function components(entities: readonly Pick<Entity<string>, 'key' | 'platform'>[]): Components {
  return Object.fromEntries(entities.map(({ key, platform }) => [key, platform]));
}

/**
 * The messages from the published state to `device`, in order: that alone, or first one that removes entities that are
 * gone or have another platform. Home Assistant needs a few seconds between the two: it drops components of a payload
 * while it still processes an earlier one. Each is made when it is called for.
 */
export function transition(published: Components, next: Components, device: () => Discovery): (() => DevicePayload)[] {
  const gone = Object.entries(published).filter(([key, platform]) => next[key] !== platform);
  const last = () => device().payload;
  if (gone.length === 0) return [last];
  const removed = Object.fromEntries(gone.map(([key, platform]): [string, Component] => [key, { platform }]));
  const first = ({ components, ...more }: DevicePayload) => ({ ...more, components: { ...components, ...removed } });
  return [() => first(last()), last];
}
