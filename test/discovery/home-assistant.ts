import { render } from './jinja.ts';

/**
 * Home Assistant's validation of a device discovery message, as far as this project goes: an option that it does not use
 * is unknown here. Modelled on core's components/mqtt (schemas, discovery, entity, sensor, util) and
 * components/sensor/const of 2025.10 to 2026.8. Gives every reason to refuse the message or one of its entities; none
 * means accepted.
 *
 * Stricter where Home Assistant would go wrong in silence: an option that the platform does not know (it drops it), a
 * wildcard in a topic that is read, a measured class without its unit, a template that warns on an empty document.
 */
export function refusals(topic: string, payload: unknown): string[] {
  return [...message(topic, record(payload))];
}

type Reasons = Generator<string, void>;
type Options = Readonly<Record<string, unknown>>;
type Rule = (value: unknown) => boolean;

const isText: Rule = value => typeof value === 'string';
const isWholeNumber: Rule = value => Number.isInteger(value) && Number(value) >= 0;
const oneOf =
  (...allowed: unknown[]): Rule =>
  value =>
    allowed.includes(value);
const matches =
  (pattern: RegExp): Rule =>
  value =>
    isText(value) && pattern.test(String(value));
const isTopic: Rule = value =>
  matches(/^[^+#\p{Cc}\p{NChar}]+$/u)(value) && new TextEncoder().encode(String(value)).length <= 65_535;
const isListOfTexts: Rule = value =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(text => isText(text) && text !== '') &&
  new Set(value).size === value.length;
const isTemplate: Rule = value => {
  try {
    render(String(value), {});
    return true;
  } catch {
    return false;
  }
};
const isAvailability: Rule = value =>
  Array.isArray(value) &&
  value.every(({ topic, value_template, ...more }) => {
    return isTopic(topic) && (value_template === undefined || isTemplate(value_template)) && isEmpty(more);
  });

const isUrl = matches(/^(https?|homeassistant):\/\//);

const rootRules: Readonly<Record<string, Rule>> = {
  device: isRecord,
  origin: isRecord,
  components: isRecord,
  availability: isAvailability,
  availability_mode: oneOf('all', 'any', 'latest'),
  qos: oneOf(0, 1, 2),
};

const deviceRules: Readonly<Record<string, Rule>> = {
  ...{ name: isText, manufacturer: isText, model: isText, model_id: isText, hw_version: isText, sw_version: isText },
  via_device: isText,
  identifiers: isListOfTexts,
  suggested_area: isText,
  connections: value =>
    Array.isArray(value) && value.every(pair => isListOfTexts(pair) && pair.length === 2 && pair[0] === 'mac'),
  configuration_url: isUrl,
};

/** What every platform knows. */
const commonRules: Readonly<Record<string, Rule>> = {
  platform: isText,
  unique_id: isText,
  default_entity_id: matches(/^[a-z_]+\.(?!_)(?!.*__)[a-z0-9_]+(?<!_)$/),
  name: value => value === null || isText(value),
  entity_category: oneOf('config', 'diagnostic'),
  enabled_by_default: oneOf(true, false),
  icon: matches(/:/),
  availability: isAvailability,
  json_attributes_topic: isTopic,
  json_attributes_template: isTemplate,
};

/** What a platform knows besides; the first option is required. */
const platforms: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  device_automation: {},
  sensor: {
    state_topic: isTopic,
    value_template: isTemplate,
    expire_after: isWholeNumber,
    device_class: oneOf('data_rate', 'data_size', 'duration', 'enum', 'timestamp'),
    state_class: oneOf('measurement', 'total', 'total_increasing'),
    unit_of_measurement: isText,
    suggested_display_precision: isWholeNumber,
    options: isListOfTexts,
    entity_category: oneOf('diagnostic'),
  },
  binary_sensor: {
    state_topic: isTopic,
    value_template: isTemplate,
    expire_after: isWholeNumber,
    device_class: oneOf('connectivity', 'problem', 'running'),
    payload_on: isText,
    payload_off: isText,
    entity_category: oneOf('diagnostic'),
  },
  switch: {
    command_topic: isTopic,
    message_expiry_interval: isWholeNumber,
    state_topic: isTopic,
    value_template: isTemplate,
    ...{ payload_on: isText, payload_off: isText, state_on: isText, state_off: isText },
  },
  button: { command_topic: isTopic, message_expiry_interval: isWholeNumber, payload_press: isText },
  event: { state_topic: isTopic, event_types: isListOfTexts, entity_category: oneOf('diagnostic') },
  image: { image_topic: isTopic, content_type: matches(/^image\/[a-z]+$/) },
  update: { state_topic: isTopic, value_template: isTemplate },
};

/** Core's components/mqtt/device_trigger. It is no entity, and has no identity but type and subtype. */
const triggerRules: Readonly<Record<string, Rule>> = {
  platform: isText,
  automation_type: oneOf('trigger'),
  ...{ type: isText, subtype: isText, topic: isTopic, payload: isText, value_template: isTemplate },
};

/** What goes with a sensor's device class. */
const units: Readonly<Record<string, readonly string[]>> = {
  data_rate: ['kB/s', 'MB/s', 'Mbit/s'],
  data_size: ['MB', 'GB', 'MiB', 'GiB'],
  duration: ['min', 's', 'ms'],
};

/** Attributes of these names it drops, for they are its own. */
export const blockedAttributes = [
  ...['assumed_state', 'available', 'device_class', 'device_info', 'entity_category', 'entity_picture'],
  ...['entity_registry_enabled_default', 'extra_state_attributes', 'force_update', 'friendly_name', 'icon'],
  ...['last_reset', 'options', 'should_poll', 'state', 'state_class', 'supported_features', 'unique_id'],
  'unit_of_measurement',
];

function* message(topic: string, root: Options): Reasons {
  if (!/^\w+\/device\/[\w-]+\/config$/.test(topic)) yield `illegal discovery topic: ${topic}`;
  yield* checked(root, rootRules, ['device', 'origin', 'components']);
  yield* checked(record(root['device']), deviceRules, ['identifiers']);
  yield* checked(record(root['origin']), { name: isText, sw_version: isText, support_url: isUrl }, ['name']);
  const taken = new Set<unknown>();
  for (const [key, value] of Object.entries(record(root['components']))) {
    const options = record(value);
    for (const reason of component(options)) yield `${key}: ${reason}`;
    const { unique_id: id } = options;
    if (id !== undefined && taken.has(id)) yield `${key}: unique_id is taken`;
    taken.add(id);
  }
}

function* component(options: Options): Reasons {
  const platform = platforms[String(options['platform'])];
  if (!platform) return yield 'platform is none that we model';
  // To be removed.
  if (Object.keys(options).length === 1) return;
  if (options['platform'] === 'device_automation')
    return yield* checked(options, triggerRules, Object.keys(triggerRules));
  yield* checked(options, { ...commonRules, ...platform }, ['unique_id', ...Object.keys(platform).slice(0, 1)]);
  if (!String(options['default_entity_id']).startsWith(`${options['platform']}.`))
    yield 'default_entity_id is another’s';
  for (const [key, needed] of [
    ['json_attributes_template', 'json_attributes_topic'],
    ['value_template', 'state_topic'],
  ] as const) {
    if (options[key] !== undefined && options[needed] === undefined) yield `${key} needs ${needed}`;
  }
  if (options['platform'] === 'event' && options['event_types'] === undefined) yield 'event_types is required';
  if (options['platform'] === 'sensor') yield* sensor(options);
}

function* sensor({ device_class, state_class, unit_of_measurement: unit, options }: Options): Reasons {
  if ((device_class === 'enum') !== (options !== undefined)) yield 'options need enum, and enum needs options';
  const allowed = units[String(device_class)];
  if (allowed && !oneOf(...allowed)(unit)) yield `${device_class} may not be in ${unit}`;
  if (device_class === 'data_rate' && state_class !== 'measurement') yield 'data_rate needs state_class measurement';
  const measured = unit !== undefined || state_class !== undefined;
  if (measured && (device_class === 'timestamp' || device_class === 'enum')) yield `${device_class} is not measured`;
}

/** Every option is known, and as it may be. */
function* checked(options: Options, rules: Readonly<Record<string, Rule>>, required: readonly string[]): Reasons {
  for (const key of required) if (options[key] === undefined) yield `${key} is required`;
  for (const [key, value] of Object.entries(options)) {
    if (!rules[key]) yield `unknown option: ${key}`;
    else if (value !== undefined && !rules[key](value))
      yield `${key} may not be ${JSON.stringify(value)?.slice(0, 200)}`;
  }
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}

function isRecord(value: unknown): value is Options {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function record(value: unknown): Options {
  return isRecord(value) ? value : {};
}
