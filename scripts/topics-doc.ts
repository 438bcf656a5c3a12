import { type Topics, topics } from '../src/model/topics.ts';
import { code, keep, table } from './page.ts';

/** Writes docs/topics.md from the topics: `node scripts/topics-doc.ts --write`, without it checks that it is current. */

const file = new URL('../docs/topics.md', import.meta.url);
const { bridge, host, vm, commands } = topics('B');

interface About {
  retained: boolean;
  what: string;
}

/** A topic that nobody has described does not compile. */
const ofBridge: Record<keyof Topics['bridge'], About> = {
  state: { retained: true, what: '`online` or `offline`; the broker publishes `offline` when the bridge is gone' },
  info: {
    retained: true,
    what: 'JSON: versions, the libvirt connection, the VMs that the bridge serves, whether checks are overdue',
  },
  claim: { retained: true, what: 'which process owns the base topic; a second one refuses to start' },
};

const ofHost: Record<keyof ReturnType<Topics['host']>, About> = {
  availability: { retained: true, what: '`online` while its libvirt answers' },
  state: { retained: true, what: 'JSON: CPU, memory, load, the room in its storage pools, why libvirt is away' },
};

const ofVm: Record<keyof ReturnType<Topics['vm']>, About> = {
  availability: { retained: true, what: '`online` while libvirt answers and has the VM' },
  state: { retained: true, what: 'JSON: state, reason, power, activity, last stop, last error, hardware' },
  stats: {
    retained: false,
    what: "JSON: CPU, memory, each disk's and NIC's rates and totals, in bytes; unknown is `null`",
  },
  check: {
    retained: true,
    what: "JSON: verdict, reason, next step, what each probe found, DSM's name, version and address ([Checks](checks.md))",
  },
  boot: {
    retained: true,
    what: 'JSON: the last boot that went wrong, or a good one since: its phases and last lines ([Boot](boot.md))',
  },
  doctor: { retained: true, what: 'JSON: what in the definition is certain harm ([Doctor](doctor.md))' },
  response: { retained: false, what: 'JSON: the response to a command ([Commands](commands.md))' },
  event: { retained: false, what: 'JSON: what happened: started, shut_down, crashed, paused_on_io_error, …' },
  screen: { retained: true, what: 'PNG, after the command `screenshot`' },
  loader: { retained: true, what: 'JSON: how far a rebuild is, how the last one ended ([Rebuild](rebuild.md))' },
  loaderLog: { retained: false, what: 'each line of output from the image builder' },
  power: { retained: false, what: '**in**: `ON`, `OFF`' },
  command: { retained: false, what: '**in**: a command as a single word, or as JSON ([Commands](commands.md))' },
};

export function page(): string {
  const rows = <K extends string>(all: Record<K, string>, about: Record<K, About>) =>
    (Object.keys(all) as K[]).map(key => [code(all[key]), about[key].retained ? 'yes' : '', about[key].what]);
  return `# Topics

<!-- Made from src/model/topics.ts by \`node scripts/topics-doc.ts --write\`. -->

\`B\` is \`mqtt.base_topic\` (\`dsm2mqtt\`), \`V\` a VM's key, \`H\` the name of one of several hosts. The statistics and the loader's log have QoS 0, all others QoS 1.

${table(['Topic', 'Retained', ''], [...rows(vm('V'), ofVm), ...rows(host('H'), ofHost), ...rows(bridge, ofBridge)])}

The bridge subscribes to ${commands.filters.map(code).join(' and ')}, and to Home Assistant's \`homeassistant/status\`.
It refuses commands with the retain flag. It publishes its devices for Home Assistant on
\`homeassistant/device/dsm2mqtt_…/config\`, retained, with Home Assistant's
[abbreviations](https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages);
[Entities](entities.md) lists what they contain.

\`\`\`sh
mosquitto_sub -h broker.lan -v -t 'dsm2mqtt/#'
mosquitto_pub -h broker.lan -t dsm2mqtt/DSM/power/set -m OFF
mosquitto_pub -h broker.lan -t dsm2mqtt/DSM/command -m '{"command":"shutdown","id":"ups-1","timeout":"4m"}'
\`\`\`
`;
}

if (process.argv[1] === import.meta.filename) keep(file, page(), import.meta.filename);
