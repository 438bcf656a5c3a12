import {
  common,
  deviceTexts,
  type PlatformRules,
  platforms,
  sensorClasses,
  shared,
  stateClasses,
} from './home-assistant-options.ts';
import { render } from './jinja.ts';

/**
 * Home Assistant's validation of a device discovery message, as far as this project's platforms go; modelled on core's
 * components/mqtt (schemas, discovery, entity, sensor, util) of 2025.10 to 2026.8. Gives every reason to refuse the
 * message or one of its entities; none means accepted.
 *
 * Stricter where Home Assistant would go wrong in silence: an option that the platform does not know (it drops it), a
 * wildcard in a topic that is read, a measured class without its unit, a template that warns on an empty document.
 */
export function refusals(topic: string, payload: unknown): string[] {
  return [...message(topic, record(payload))];
}

type Reasons = Generator<string, void>;
type Options = Readonly<Record<string, unknown>>;

function* message(topic: string, root: Options): Reasons {
  if (!/^\w+\/device\/(?:[\w-]+\/)?[\w-]+\/config$/.test(topic)) yield `illegal discovery topic: ${topic}`;
  yield* onlyKeys(root, ['device', 'origin', 'components', ...shared]);
  yield* device(record(root['device']));
  yield* origin(record(root['origin']));
  yield* sharedOptions(root);
  if (!isRecord(root['components'])) yield 'components are required';

  const taken = new Set<unknown>();
  for (const [key, value] of Object.entries(record(root['components']))) {
    for (const reason of component(record(value), root)) yield `${key}: ${reason}`;
    const id = record(value)['unique_id'];
    if (id !== undefined && taken.has(id)) yield `${key}: unique_id is taken: ${id}`;
    taken.add(id);
  }
}

function* device(options: Options): Reasons {
  yield* onlyKeys(options, [...deviceTexts, 'configuration_url', 'identifiers', 'connections']);
  yield* texts(options, deviceTexts);
  if ([options['identifiers'] ?? [], options['connections'] ?? []].flat().length === 0) {
    yield 'device needs identifiers or connections';
  }
  yield* matches(options, 'configuration_url', /^(https?|homeassistant):\/\//);
}

function* origin(options: Options): Reasons {
  yield* onlyKeys(options, ['name', 'sw_version', 'support_url']);
  if (options['name'] === undefined) yield 'origin needs a name';
  yield* texts(options, ['name', 'sw_version']);
  yield* matches(options, 'support_url', /^https?:\/\//);
}

function* sharedOptions(options: Options): Reasons {
  if (options['availability'] !== undefined && options['availability_topic'] !== undefined) {
    yield 'availability excludes availability_topic';
  }
  yield* oneOf(options, 'availability_mode', ['all', 'any', 'latest']);
  yield* oneOf(options, 'qos', [0, 1, 2]);
  for (const entry of [options['availability'] ?? []].flat()) {
    yield* onlyKeys(record(entry), ['topic', 'payload_available', 'payload_not_available', 'value_template']);
    yield* topicName(record(entry)['topic']);
    if (record(entry)['value_template'] !== undefined) yield* template(record(entry)['value_template']);
  }
  for (const key of ['availability_topic', 'state_topic', 'command_topic']) {
    if (options[key] !== undefined) yield* topicName(options[key]);
  }
}

function* component(own: Options, root: Options): Reasons {
  const platform = platforms[String(own['platform'])];
  if (!platform) return yield `platform is none that we model: ${own['platform']}`;
  if (Object.keys(own).length === 1) return;

  yield* onlyKeys(own, [...common, ...platform.required, ...platform.optional]);
  const inherited = Object.entries(root).filter(([key]) => shared.includes(key) && !(key in own));
  const options = { ...own, ...Object.fromEntries(inherited) };
  for (const key of ['unique_id', ...platform.required]) if (options[key] === undefined) yield `${key} is required`;
  yield* sharedOptions(options);
  yield* entity(options, platform);
  if (options['platform'] === 'sensor') yield* sensor(options);
  if (options['platform'] === 'event') yield* event(options);
  if (options['platform'] === 'image') yield* image(options);
}

function* entity(options: Options, { categories, deviceClasses }: PlatformRules): Reasons {
  const present = (key: string) => options[key] !== undefined;
  yield* texts(options, ['unique_id', ...stateTexts, 'payload_press', 'unit_of_measurement']);
  if (options['name'] !== null) yield* texts(options, ['name']);
  yield* oneOf(options, 'enabled_by_default', [true, false]);
  yield* oneOf(options, 'entity_category', categories);
  yield* oneOf(options, 'device_class', deviceClasses);
  yield* wholeNumber(options, 'expire_after');
  yield* matches(options, 'icon', /:/);
  yield* matches(options, 'default_entity_id', new RegExp(`^${options['platform']}\\.(?!_)(?!.*__)[a-z0-9_]+(?<!_)$`));
  if (present('json_attributes_topic')) yield* topicName(options['json_attributes_topic']);
  if (present('json_attributes_template') && !present('json_attributes_topic')) yield 'attributes need a topic';
  if (present('value_template') && !present('state_topic')) yield 'value_template needs a state_topic';
  for (const key of Object.keys(options).filter(name => name.endsWith('_template'))) yield* template(options[key]);
}

const stateTexts = ['payload_on', 'payload_off', 'state_on', 'state_off'];

function* event({ event_types: types }: Options): Reasons {
  if (types === undefined) return;
  if (!Array.isArray(types) || types.length === 0) return yield 'event_types are empty';
  if (types.some(type => typeof type !== 'string' || type === '')) yield 'event_types are not texts';
  if (new Set(types).size < types.length) yield 'event_types say one twice';
}

function* image(options: Options): Reasons {
  const topics = ['image_topic', 'url_topic'].filter(key => options[key] !== undefined);
  if (topics.length !== 1) yield 'image needs one of image_topic and url_topic';
  for (const key of topics) yield* topicName(options[key]);
  if (options['content_type'] !== undefined && options['url_topic'] !== undefined) {
    yield 'content_type excludes url_topic';
  }
  yield* matches(options, 'content_type', /^image\/[a-z]+$/);
  yield* oneOf(options, 'image_encoding', ['b64']);
}

function* sensor(options: Options): Reasons {
  const { device_class, state_class, unit_of_measurement: unit, options: choices } = options;
  yield* oneOf(options, 'state_class', stateClasses);
  yield* wholeNumber(options, 'suggested_display_precision');
  if (options['last_reset_value_template'] !== undefined && state_class !== 'total') yield 'last_reset without total';
  if (choices !== undefined) {
    if (!Array.isArray(choices) || choices.length === 0) yield 'options are empty';
    if (device_class !== 'enum') yield 'options need device_class enum';
    if (state_class !== undefined || unit !== undefined) yield 'options exclude state_class and unit_of_measurement';
  } else if (device_class === 'enum') yield 'enum needs options';

  const rules = sensorClasses[String(device_class)];
  if (!rules) return;
  if (rules.units.length > 0 && unit === undefined) yield `${device_class} needs a unit_of_measurement`;
  yield* oneOf(options, 'unit_of_measurement', rules.units);
  yield* oneOf(options, 'state_class', rules.stateClasses);
}

function* topicName(topic: unknown): Reasons {
  if (typeof topic !== 'string' || topic === '') return yield 'topic is empty';
  if (new TextEncoder().encode(topic).length > 65_535) yield 'topic is too long';
  if (/[+#]/.test(topic)) yield `topic has a wildcard: ${topic}`;
  if (/[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(topic)) yield 'topic has a control character';
}

function* template(source: unknown): Reasons {
  try {
    render(String(source), {});
  } catch (error) {
    yield `template: ${error}`;
  }
}

function* onlyKeys(options: Options, known: string[]): Reasons {
  for (const key of Object.keys(options)) if (!known.includes(key)) yield `unknown option: ${key}`;
}

function* texts(options: Options, keys: string[]): Reasons {
  for (const key of keys) {
    if (options[key] !== undefined && typeof options[key] !== 'string') yield `${key} is not a text`;
  }
}

function* oneOf(options: Options, key: string, allowed: readonly unknown[]): Reasons {
  if (options[key] !== undefined && !allowed.includes(options[key])) yield `${key} may not be ${options[key]}`;
}

function* matches(options: Options, key: string, pattern: RegExp): Reasons {
  if (options[key] !== undefined && !pattern.test(String(options[key]))) yield `${key} may not be ${options[key]}`;
}

function* wholeNumber(options: Options, key: string): Reasons {
  const value = options[key];
  if (value !== undefined && !(Number.isInteger(value) && Number(value) >= 0)) yield `${key} may not be ${value}`;
}

function isRecord(value: unknown): value is Options {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function record(value: unknown): Options {
  return isRecord(value) ? value : {};
}
