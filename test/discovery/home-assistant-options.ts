/** The options that Home Assistant knows, as tables: components/mqtt and components/sensor/const of its core. */

export const shared = [
  'availability',
  'availability_mode',
  'availability_topic',
  'availability_template',
  'payload_available',
  'payload_not_available',
  'state_topic',
  'command_topic',
  'qos',
  'encoding',
];

export const common = [
  ...shared,
  'platform',
  'unique_id',
  'default_entity_id',
  'name',
  'entity_category',
  'enabled_by_default',
  'icon',
  'json_attributes_topic',
  'json_attributes_template',
];

export interface PlatformRules {
  required: string[];
  optional: string[];
  deviceClasses: string[];
  categories: string[];
}

const reader = ['value_template', 'device_class', 'expire_after', 'force_update'];
const writer = ['command_template', 'device_class', 'retain'];

export const platforms: Record<string, PlatformRules> = {
  sensor: {
    required: ['state_topic'],
    optional: [
      ...reader,
      'state_class',
      'unit_of_measurement',
      'options',
      'suggested_display_precision',
      'last_reset_value_template',
    ],
    deviceClasses: ['data_rate', 'data_size', 'date', 'duration', 'enum', 'timestamp'],
    categories: ['diagnostic'],
  },
  binary_sensor: {
    required: ['state_topic'],
    optional: [...reader, 'payload_on', 'payload_off', 'off_delay'],
    deviceClasses: ['connectivity', 'power', 'problem', 'running', 'update'],
    categories: ['diagnostic'],
  },
  switch: {
    required: ['command_topic'],
    optional: [...writer, 'value_template', 'payload_on', 'payload_off', 'state_on', 'state_off', 'optimistic'],
    deviceClasses: ['outlet', 'switch'],
    categories: ['config', 'diagnostic'],
  },
  event: {
    required: ['state_topic', 'event_types'],
    optional: ['value_template', 'device_class'],
    deviceClasses: ['button', 'doorbell', 'motion'],
    categories: ['diagnostic'],
  },
  image: {
    required: [],
    optional: ['image_topic', 'url_topic', 'content_type', 'image_encoding', 'url_template'],
    deviceClasses: [],
    categories: ['config', 'diagnostic'],
  },
  update: {
    required: ['state_topic'],
    optional: [
      ...['value_template', 'device_class', 'latest_version_topic', 'latest_version_template', 'payload_install'],
      ...['display_precision', 'entity_picture', 'release_summary', 'release_url', 'title', 'retain'],
    ],
    deviceClasses: ['firmware'],
    categories: ['config', 'diagnostic'],
  },
  button: {
    required: ['command_topic'],
    optional: [...writer, 'payload_press'],
    deviceClasses: ['identify', 'restart', 'update'],
    categories: ['config', 'diagnostic'],
  },
};

/** Attributes of these names it drops, for they are its own. */
export const blockedAttributes = [
  ...['assumed_state', 'available', 'device_class', 'device_info', 'entity_category', 'entity_picture'],
  ...['entity_registry_enabled_default', 'extra_state_attributes', 'force_update', 'friendly_name', 'icon'],
  ...['last_reset', 'options', 'should_poll', 'state', 'state_class', 'supported_features', 'unique_id'],
  'unit_of_measurement',
];

export const stateClasses = ['measurement', 'measurement_angle', 'total', 'total_increasing'];

const decimal = ['B', 'kB', 'MB', 'GB'];
const binary = ['KiB', 'MiB', 'GiB'];
const bits = ['bit', 'kbit', 'Mbit', 'Gbit'];
const huge = ['TB', 'PB', 'EB', 'ZB', 'YB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/** What goes with a sensor's device class. */
export const sensorClasses: Record<string, { units: string[]; stateClasses: string[] }> = {
  data_rate: { units: [...bits, ...decimal, ...binary].map(unit => `${unit}/s`), stateClasses: ['measurement'] },
  data_size: { units: [...bits, ...decimal, ...binary, ...huge], stateClasses },
  duration: { units: ['d', 'h', 'min', 's', 'ms', 'μs'], stateClasses },
  date: { units: [], stateClasses: [] },
  enum: { units: [], stateClasses: [] },
  timestamp: { units: [], stateClasses: [] },
};

export const deviceTexts = [
  'name',
  'manufacturer',
  'model',
  'model_id',
  'hw_version',
  'sw_version',
  'serial_number',
  'suggested_area',
  'via_device',
];
