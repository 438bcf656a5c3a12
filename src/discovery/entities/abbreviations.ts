import type { DevicePayload } from './payload.ts';

/**
 * The discovery message as it is sent: Home Assistant's abbreviations (core's components/mqtt/abbreviations.py), and the
 * state topic that most components have only once, for all of them.
 */

type Names = Readonly<Record<string, string>>;

const options: Names = {
  ...{
    automation_type: 'atype',
    availability: 'avty',
    availability_mode: 'avty_mode',
    command_topic: 'cmd_t',
    components: 'cmps',
  },
  ...{ content_type: 'cont_type', default_entity_id: 'def_ent_id', device: 'dev', device_class: 'dev_cla' },
  ...{ enabled_by_default: 'en', entity_category: 'ent_cat', event_types: 'evt_typ', expire_after: 'exp_aft' },
  ...{ icon: 'ic', image_topic: 'img_t', json_attributes_template: 'json_attr_tpl' },
  ...{ json_attributes_topic: 'json_attr_t', message_expiry_interval: 'msg_exp_int', options: 'ops', origin: 'o' },
  ...{ payload: 'pl', payload_off: 'pl_off', payload_on: 'pl_on', subtype: 'stype' },
  ...{ payload_press: 'pl_prs', platform: 'p', state_class: 'stat_cla', state_off: 'stat_off', state_on: 'stat_on' },
  ...{ state_topic: 'stat_t', suggested_display_precision: 'sug_dsp_prc', topic: 't', unique_id: 'uniq_id' },
  ...{ unit_of_measurement: 'unit_of_meas', value_template: 'val_tpl' },
};
const device: Names = {
  ...{
    configuration_url: 'cu',
    connections: 'cns',
    hw_version: 'hw',
    identifiers: 'ids',
    manufacturer: 'mf',
    model: 'mdl',
  },
  ...{ model_id: 'mdl_id', suggested_area: 'sa', sw_version: 'sw' },
};
const origin: Names = { support_url: 'url', sw_version: 'sw' };

/** What is abbreviated, by the part of the message that it is in. */
export const abbreviations = { options, device, origin };

/**
 * A component without a state topic takes the common one too; buttons and images, which have none, ignore it. The last
 * components are those of disks and networks, which are the most.
 */
export function discoveryMessage({ device: about, origin: from, components, ...payload }: DevicePayload): string {
  const state_topic = Object.values(components).at(-1)?.['state_topic'];
  const own: Record<string, object> = {};
  for (const [key, component] of Object.entries(components)) own[key] = shortened(component, options, state_topic);
  const parts = { device: shortened(about, device), origin: shortened(from, origin), components: own };
  return JSON.stringify(shortened({ ...payload, state_topic, ...parts }, options));
}

/** `common`: the state topic that need not be said. */
function shortened(part: object, names: Names, common?: unknown): object {
  const short: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(part)) {
    if (name === 'availability') short[names[name] ?? name] = value.map((each: object) => shortened(each, names));
    else if (name !== 'state_topic' || value !== common) short[names[name] ?? name] = value;
  }
  return short;
}
