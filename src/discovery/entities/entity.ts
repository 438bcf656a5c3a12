import type {
  BootDocument,
  BridgeDocument,
  CheckDocument,
  DoctorDocument,
  HostDocument,
  LoaderDocument,
  StateDocument,
} from '../../model/documents.ts';
import { type Unit, type UnitRow, units } from '../../model/metrics.ts';
import type { Stats } from '../../model/stats.ts';

/**
 * The types of the entity table: what a row is, and where its value comes from. Plain data in Home Assistant's own
 * words: the traits have the names of the MQTT discovery options, so a row reads like its payload.
 */

export const platforms = [
  ...(['binary_sensor', 'button', 'device_automation', 'event', 'image', 'sensor', 'switch', 'update'] as const),
] as const;
export type Platform = (typeof platforms)[number];

/** One entity. `Topic` names one of its device's topics; the payload has them in full. */
export interface Entity<Topic extends string> extends Traits {
  /** Its identity within the device, for ever: Home Assistant takes a renamed key for another entity. */
  key: string;
  platform: Platform;
  /** Without the device's name, which Home Assistant puts in front; null: the entity is the device. */
  name: string | null;
  /** Null for a button and an image. */
  value: Value<Topic> | null;
  attributes?: Attributes<Topic>;
  /** Available only while this is true, and while the device is available. */
  only_while?: Value<Topic>;
  command_topic?: Topic;
  image_topic?: Topic;
}

/** A place in the JSON on a topic; an empty path is the bare payload. */
export interface Value<Topic extends string> {
  topic: Topic;
  path: readonly string[];
}

/** An object of a document as the entity's attributes, or some of its members, together with fixed attributes. */
interface Attributes<Topic extends string> extends Value<Topic> {
  only?: readonly string[];
  and?: Readonly<Record<string, string>>;
}

/** How a template turns the JSON value into Home Assistant's text; a number is divided and rounded; these words are on. */
export type Reading = 'text' | 'sentence' | 'flag' | { per: number; digits: number } | { on: readonly string[] };

export interface Traits {
  reading?: Reading;
  /** Instead of a path and a reading. */
  value_template?: string;
  device_class?: 'connectivity' | 'data_rate' | 'data_size' | 'duration' | 'enum' | 'problem' | 'running' | 'timestamp';
  state_class?: 'measurement' | 'total_increasing';
  unit_of_measurement?: string;
  suggested_display_precision?: number;
  options?: readonly string[];
  entity_category?: 'config' | 'diagnostic';
  enabled_by_default?: false;
  icon?: `mdi:${string}`;
  /** What the value must be for a trigger. */
  payload?: string;
  payload_on?: string;
  payload_off?: string;
  payload_press?: string;
  state_on?: string;
  state_off?: string;
  event_types?: readonly string[];
  content_type?: 'image/png';
  /** `always`: never unavailable. `bridge`: available as long as the bridge is. */
  available?: 'always' | 'bridge';
}

export type Row<Topic extends string> = Partial<Omit<Entity<Topic>, 'key' | 'platform' | 'name' | 'value'>>;

/** One row: its identity, its name, the place of its value, and its traits; later traits override earlier ones. */
function row(platform: Platform, traits: Traits = {}) {
  return <T extends string>(key: string, name: string | null, value: Value<T> | null, ...more: Row<T>[]): Entity<T> =>
    Object.assign({ key, platform, name, value, ...traits } satisfies Entity<T>, ...more);
}

export const sensor = row('sensor');
export const binarySensor = row('binary_sensor', { reading: 'flag' });
export const toggle = row('switch');
export const button = row('button');
export const eventEntity = row('event');
export const image = row('image');
export const update = row('update');
/** Not an entity: what an automation of the device can begin with. `name`: its subtype. */
export const trigger = row('device_automation');

// Paths have the documents' types: a misspelt one does not compile.

export const state = (...path: ValuePath<StateDocument>): Value<'state'> => ({ topic: 'state', path });
export const stats = (...path: ValuePath<Stats>): Value<'stats'> => ({ topic: 'stats', path });
export const check = (...path: ValuePath<CheckDocument>): Value<'check'> => ({ topic: 'check', path });
export const boot = (...path: ValuePath<BootDocument>): Value<'boot'> => ({ topic: 'boot', path });
export const doctor = (...path: ValuePath<DoctorDocument>): Value<'doctor'> => ({ topic: 'doctor', path });
export const loader = (...path: ValuePath<LoaderDocument>): Value<'loader'> => ({ topic: 'loader', path });
export const host = (...path: ValuePath<HostDocument>): Value<'state'> => ({ topic: 'state', path });
export const info = (...path: ValuePath<BridgeDocument>): Value<'info'> => ({ topic: 'info', path });

export const stateObject = (...path: ObjectPath<StateDocument>): Value<'state'> => ({ topic: 'state', path });
export const stateMembers = (...only: (keyof StateDocument)[]) => ({ topic: 'state', path: [], only }) as const;
export const checkObject = (...path: ObjectPath<CheckDocument>): Value<'check'> => ({ topic: 'check', path });
export const checkMembers = (...only: (keyof CheckDocument)[]) => ({ topic: 'check', path: [], only }) as const;
export const bootMembers = (...only: (keyof BootDocument)[]) => ({ topic: 'boot', path: [], only }) as const;
export const doctorMembers = (...only: (keyof DoctorDocument)[]) => ({ topic: 'doctor', path: [], only }) as const;
export const loaderObject = (...path: ObjectPath<LoaderDocument>): Value<'loader'> => ({ topic: 'loader', path });
export const loaderMembers = (...only: (keyof LoaderDocument)[]) => ({ topic: 'loader', path: [], only }) as const;
export const hostObject = (...path: ObjectPath<HostDocument>): Value<'state'> => ({ topic: 'state', path });
export const infoObject = (...path: ObjectPath<BridgeDocument>): Value<'info'> => ({ topic: 'info', path });

type Scalar = string | number | boolean | null | undefined;
type ValuePath<T> = {
  [K in keyof T & string]-?: T[K] extends Scalar ? [K] : [K, ...ValuePath<NonNullable<T[K]>>];
}[keyof T & string];
type ObjectPath<T> = {
  [K in keyof T & string]-?: T[K] extends Scalar ? never : [K] | [K, ...ObjectPath<NonNullable<T[K]>>];
}[keyof T & string];

/** The kinds of values: the topics have base units, these are the units for people. Rows combine them. */

/** A number of the topic in a unit. */
export function inUnit(unit: Unit): Traits {
  const { per = 1, digits, shown, device_class }: UnitRow = units[unit];
  return {
    reading: { per, digits },
    ...(device_class && { device_class }),
    state_class: 'measurement',
    unit_of_measurement: unit,
    suggested_display_precision: shown,
  };
}

/** A counter that only grows, and starts anew with the VM. */
export const total = { state_class: 'total_increasing' } as const;

export const timestamp = { device_class: 'timestamp' } as const;
export const sentence = { reading: 'sentence' } as const;
export const oneOf = (options: readonly string[]) => ({ device_class: 'enum', options }) as const;

/** How the device itself does, apart from what it does. */
export const diagnostic = { entity_category: 'diagnostic' } as const;
/** For those who look for it: off until it is wanted. */
export const detail = { ...diagnostic, enabled_by_default: false } as const;

/** DSM can be asked while libvirt is away, and things happen then too. */
export const asked = { available: 'bridge' } as const;
