/**
 * A dashboard for Home Assistant that makes itself of the devices of dsm2mqtt: one view for each virtual machine, and one
 * for bridges and hosts. It has nothing to be edited. docs/dashboard.md says how to add it.
 *
 * `custom:dsm2mqtt` is a strategy for a whole dashboard, and for one view: then `device` is the name of the machine.
 */

const own = /^dsm2mqtt_/;
const machine = /^dsm2mqtt_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Devices of ours, by name; without those that are disabled. */
function devicesOf(hass, kind) {
  return Object.values(hass.devices)
    .filter(device => !device.disabled_by)
    .flatMap(device => {
      const id = device.identifiers.find(([domain, id]) => domain === 'mqtt' && own.test(id))?.[1];
      return id && machine.test(id) === (kind === 'machine')
        ? [{ id, device, name: device.name_by_user ?? device.name }]
        : [];
    })
    .sort((one, other) => one.name.localeCompare(other.name));
}

/** The enabled entities of a device, by the bridge's key: `name` as people have it, `original` as the bridge has it. */
async function entitiesOf(hass, { id, device }) {
  const mine = Object.values(hass.entities).filter(({ device_id, hidden }) => !hidden && device_id === device.id);
  const entity_ids = mine.map(({ entity_id }) => entity_id);
  if (entity_ids.length === 0) return new Map();
  const entries = await hass.callWS({ type: 'config/entity_registry/get_entries', entity_ids });
  return new Map(
    Object.values(entries)
      .filter(entry => entry?.unique_id.startsWith(`${id}_`))
      .map(({ unique_id, entity_id, name, original_name: original }) => [
        unique_id.slice(id.length + 1),
        { id: entity_id, name: name ?? original, original },
      ]),
  );
}

const isOn = (entity, ...states) => ({ condition: 'state', entity, state: states });
const heading = (text, icon, more) => ({ type: 'heading', heading: text, icon, ...more });

/** A tile of half the width, or nothing: the entity is disabled. */
function tile(entity, more = {}) {
  return entity
    ? [{ type: 'tile', entity: entity.id, name: entity.name ?? undefined, grid_options: { columns: 6 }, ...more }]
    : [];
}

/** With its last hour. */
function graph(entity, color) {
  return tile(entity, { color, features: [{ type: 'trend-graph', hours_to_show: 1 }] });
}

/** A slip of the finger must press nothing: the tile asks, and its icon only opens the details. */
function asking(action, { id }, text) {
  return {
    icon_tap_action: { action: 'more-info' },
    tap_action: { action: 'perform-action', perform_action: action, target: { entity_id: id }, confirmation: { text } },
  };
}

function now(hass, name, of) {
  const [power, verdict, problem] = ['power', 'verdict', 'problem'].map(key => of.get(key));
  const reason = `{{ state_attr('${verdict?.id}', 'reason') or 'Not checked yet.' }}\n\n{{ state_attr('${verdict?.id}', 'next_step') or '' }}`;
  return {
    type: 'grid',
    cards: [
      heading(name, 'mdi:nas', verdict && { badges: [{ type: 'entity', entity: verdict.id }] }),
      ...(power
        ? tile(power, { name: 'Power', ...asking('switch.toggle', power, `Start ${name}, or shut it down?`) })
        : tile(of.get('running') ?? of.get('state'))),
      ...['activity', 'reachable', 'last_check'].flatMap(key => tile(of.get(key))),
      ...(verdict ? [{ type: 'markdown', content: reason }] : []),
      ...tile(problem, { color: 'red', visibility: [isOn(problem?.id, 'on')], grid_options: { columns: 12 } }),
      ...history(hass, of),
    ],
  };
}

/** What it was: verdict, power and jobs on one time axis. */
function history(hass, of) {
  const lines = ['verdict', 'running', 'activity'].flatMap(key => of.get(key) ?? []);
  if (lines.length === 0 || !hass.config.components.includes('history')) return [];
  const entities = lines.map(({ id, name }) => ({ entity: id, name }));
  return [
    heading('The last day', 'mdi:history', { heading_style: 'subtitle' }),
    { type: 'history-graph', hours_to_show: 24, entities },
  ];
}

/** The rates of networks and of data disks, with shorter names: a tile on a phone has room for twelve letters. */
const rates = [
  [/^nic_.*_rx_rate$/, /^Network( \d+)? receive$/, 'Received$1', 'teal'],
  [/^nic_.*_tx_rate$/, /^Network( \d+)? send$/, 'Sent$1', 'cyan'],
  [/^disk_.*_read_rate$/, /^(Disk \d+) read$/, '$1 read', 'green'],
  [/^disk_.*_write_rate$/, /^(Disk \d+) write$/, '$1 write', 'orange'],
];

/** A machine that is off has no measurements. */
function work(of) {
  const shows = of.get('running') ?? of.get('power');
  const graphs = [...of]
    // Networks first.
    .sort(([one], [other]) => other[0].localeCompare(one[0]) || one.localeCompare(other))
    .flatMap(([key, entity]) => {
      const [, usual, short, color] =
        rates.find(([pattern, usual]) => pattern.test(key) && usual.test(entity.original)) ?? [];
      return short ? graph({ ...entity, name: entity.name.replace(usual, short) }, color) : [];
    });
  return {
    type: 'grid',
    ...(shows && { visibility: [isOn(shows.id, 'on')] }),
    cards: [
      heading('At work', 'mdi:gauge'),
      ...graph(of.get('cpu'), 'blue'),
      ...graph(of.get('memory_used'), 'purple'),
      ...graphs,
    ],
  };
}

/** Only if the machine has a loader. The rebuild shows itself while it is armed. */
function loader(name, of) {
  const [phase, arm, rebuild] = ['loader_phase', 'arm', 'rebuild'].map(key => of.get(key));
  if (!phase) return [];
  const text = `${name} is shut down, its loader is made anew, and it is started again. Go on?`;
  return [
    {
      type: 'grid',
      cards: [
        heading('Loader', 'mdi:package-variant-closed'),
        ...tile(phase),
        ...tile(arm, { color: 'amber', icon_tap_action: { action: 'toggle' } }),
        ...tile(of.get('loader_update'), { grid_options: { columns: 12 } }),
        ...(arm && rebuild
          ? tile(rebuild, {
              ...{ hide_state: true, color: 'red', visibility: [isOn(arm.id, 'on')], grid_options: { columns: 12 } },
              ...asking('button.press', rebuild, text),
              icon_tap_action: { action: 'none' },
            })
          : []),
      ],
    },
  ];
}

const message = content => [{ type: 'grid', cards: [{ type: 'markdown', content }] }];

class View extends HTMLElement {
  static registryDependencies = ['entities', 'devices'];

  static async generate({ device }, hass) {
    const devices = devicesOf(hass, 'machine');
    const found = device === undefined ? devices[0] : devices.find(each => [each.id, each.name].includes(device));
    if (!found)
      return { type: 'sections', sections: message(`There is no virtual machine ${device ?? ''} of dsm2mqtt.`) };
    const of = await entitiesOf(hass, found);
    const sections = [now(hass, found.name, of), work(of), ...loader(found.name, of)];
    return { type: 'sections', max_columns: 3, sections };
  }
}

class Around extends HTMLElement {
  static registryDependencies = ['entities', 'devices'];

  static async generate(_, hass) {
    const devices = devicesOf(hass, 'other');
    const sections = devices.map(async each => {
      const tiles = [...(await entitiesOf(hass, each)).values()].flatMap(entity => tile(entity));
      return { type: 'grid', cards: [heading(each.name, 'mdi:bridge'), ...tiles] };
    });
    return { type: 'sections', max_columns: 3, sections: await Promise.all(sections) };
  }
}

class Dashboard extends HTMLElement {
  static registryDependencies = ['devices'];
  static noEditor = true;

  static async generate(_, hass) {
    const machines = devicesOf(hass, 'machine');
    const others = devicesOf(hass, 'other').length > 0;
    if (machines.length === 0 && !others) {
      const sections = message('There is no device of dsm2mqtt yet: is the bridge running, and at the same broker?');
      return { title: 'dsm2mqtt', views: [{ title: 'dsm2mqtt', type: 'sections', sections }] };
    }
    return {
      title: 'dsm2mqtt',
      views: [
        ...machines.map(({ id, name }) => ({
          ...{ title: name, path: id.replace(own, ''), icon: 'mdi:nas' },
          strategy: { type: 'custom:dsm2mqtt', device: id },
        })),
        ...(others
          ? [{ title: 'Bridge', path: 'bridge', icon: 'mdi:bridge', strategy: { type: 'custom:dsm2mqtt-bridge' } }]
          : []),
      ],
    };
  }
}

customElements.define('ll-strategy-dashboard-dsm2mqtt', Dashboard);
customElements.define('ll-strategy-view-dsm2mqtt', View);
customElements.define('ll-strategy-view-dsm2mqtt-bridge', Around);

window.customStrategies ??= [];
window.customStrategies.push({
  ...{ type: 'dsm2mqtt', strategyType: 'dashboard', name: 'dsm2mqtt' },
  description: 'A view for each virtual machine that the bridge announces.',
});
