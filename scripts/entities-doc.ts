import {
  type BridgeEntity,
  bridgeEntities,
  type HostEntity,
  hostEntities,
  type VmEntity,
  vmEntities,
} from '../src/discovery/entities/table.ts';
import { commandWords } from '../src/model/commands.ts';
import { type DomainDescription, unknownDescription, unknownHardware } from '../src/model/domain.ts';
import { code, keep, table } from './page.ts';

/** Writes docs/entities.md from the entity table: `node scripts/entities-doc.ts --write`, without it checks that it is current. */

const file = new URL('../docs/entities.md', import.meta.url);

export function page(): string {
  const controls = { commands: commandWords, powerCategory: 'config', loader: true, certificates: true } as const;
  const all = vmEntities(sample, { ...controls, guest: 'dsm' });
  const isTrigger = ({ platform }: VmEntity) => platform === 'device_automation';
  const vm = all.filter(entity => !isTrigger(entity));
  const known = new Set(vm.map(({ key }) => key));
  const other = vmEntities(sample, { ...controls, guest: 'other' }).filter(
    entity => !known.has(entity.key) && !isTrigger(entity),
  );
  const of = (prefix: string) => vm.filter(({ key }) => key.startsWith(prefix));
  const loader = vm.filter(({ key }) => /^(rebuild|rollback|arm|loader_.*)$/.test(key));
  const machine = vm.filter(entity => !/^(disk|nic)_/.test(entity.key) && !loader.includes(entity));
  return `# Entities

<!-- Made from the tables in src/discovery by \`node scripts/entities-doc.ts --write\`. -->

Home Assistant shows these entities for each virtual machine and for the bridge. **On** marks those that are enabled from
the start; you find the others under the device's "entities not shown". An unknown value is *unknown*, never zero. Unique
ids are \`dsm2mqtt_<domain uuid>_<key>\`. The topics, below the base topic \`B\` and the machine's key \`V\`, carry the same
values in base units (bytes, bytes per second).

## Virtual machine

${entityTable('B/V', machine)}

The VM's \`commands\` decide which entities there are: a button needs its key, the power switch both of its keys, and the
screen \`screenshot\`. Autostart is a switch with \`autostart\`, otherwise a binary sensor that only shows it. With
\`libvirt.read_only\` you cannot press or switch anything. *Running* is always there; it is off while the VM is paused.
[Commands](commands.md) explains the commands and the event entity, [Checks](checks.md) the entities of the checks. Those, the event and the button Check stay available while libvirt
is away, because the bridge can query DSM without it.

Memory used does not count what the guest could free, mostly its cache. A kernel before 4.6 does not report that, and then
the value is *unknown*. vCPUs are those that are online. Memory is what the guest has now; there may be more to add.

${attributes(machine)}

## Device triggers

An automation can begin with "Device", this one, and one of \`"…" event\`. They are the [events](commands.md#events) of
these types; the *Event* entity has all types.

${all
  .filter(isTrigger)
  .map(({ name }) => code(`${name}`))
  .join(', ')}

## Another guest

With \`guest: other\`, the entities of DSM (\`dsm_…\`, and the probes \`web\`, \`dsm\` and \`discovery\`) are not there. Instead:

${entityTable('B/V', other)}

Certificate days are those until the first certificate of \`checks.http\` expires, rounded down; below zero, one has expired.
The entity is there if one of these pages has \`tls\`.

## Loader

These entities need \`loader\` in the VM's configuration.

${entityTable('B/V', loader)}

The two buttons need their keys among the VM's \`commands\`, the switch one of them. You can press them while the switch is
on, which it is for a while only. The update entity compares the DSM that runs with the one that the configuration asks
for. It has no "Install", so that "update everything" cannot shut the NAS down. It is *unknown* until DSM has reported its
version. Home Assistant does not compare builds, so it sees no update in another build of the same release. All entities
except the buttons stay available while libvirt is away.

${attributes(loader)}

## Each disk

Data disks are "Disk 1", "Disk 2", … in the machine's order. The loader's disk, which the firmware boots, is "Loader disk";
a drive is "Removable disk hdc". All entities of those two start disabled. Keys have the target, here \`sda\`. The rates have
role, bus, host path and target as attributes.

${entityTable('B/V', of('disk_'))}

## Each network interface

One interface is "Network"; several are "Network 1", "Network 2", …. Directions are the guest's. Keys have the MAC, here of
52:54:00:d5:30:01; a second interface with the same MAC has \`525400d53001_2\`, in the definition's order. The rates have MAC,
model, bridge and tap as attributes.

${entityTable('B/V', of('nic_'))}

## Each host

Only if \`libvirt\` is a list of hosts ([Hosts](hosts.md)). \`H\` is the host's name; keys have the pool's, here \`default\`.
The problem sensor names the pools that are nearly full: under 5 % and under 20 GiB.

${entityTable('B/host/H', hostEntities(['default']))}

## Bridge

${entityTable('B/bridge', bridgeEntities)}
`;
}

const sample: DomainDescription = {
  uuid: '',
  name: 'DSM',
  on: null,
  dsm: unknownDescription,
  hardware: {
    ...unknownHardware,
    disks: [{ target: 'sda', role: 'data', bus: null, source: null }],
    nics: [{ mac: '52:54:00:d5:30:01', model: null, source: null, tap: null, type: null, link: null }],
  },
};

function entityTable(topics: string, entities: readonly AnyEntity[]): string {
  const rows = entities.map(entity => [
    entity.name ?? "*the device's name*",
    code(entity.key),
    entity.platform.replace('_', ' '),
    kind(entity),
    entity.enabled_by_default === false ? '' : 'on',
    entity.entity_category ?? '',
    place(topics, entity),
  ]);
  const head = ['Name', 'Key', 'Platform', 'Unit or kind', 'On', 'Category', 'Topic, place in it or payload'];
  return table(head, rows);
}

type AnyEntity = VmEntity | HostEntity | BridgeEntity;

function kind({ unit_of_measurement, options, event_types, content_type, device_class }: AnyEntity): string {
  const words = options?.join(', ') ?? (event_types && `${event_types.length} [types](commands.md#events)`);
  return unit_of_measurement ?? words ?? content_type ?? device_class ?? '';
}

function place(topics: string, { value, image_topic, command_topic, payload_press }: AnyEntity): string {
  const topic = value?.topic ?? image_topic ?? command_topic;
  return [`${topics}/${topic}`, value?.path.join('.') ?? payload_press]
    .filter(word => word)
    .map(text => code(`${text}`))
    .join(' ');
}

/** A sentence on the entities that have more to say than their value. */
function attributes(entities: readonly AnyEntity[]): string {
  const phrases = entities.flatMap(({ name, attributes }) => {
    if (!attributes) return [];
    const { path, only } = attributes;
    return [`**${name}**: ${only ? only.map(code).join(', ') : `the members of ${code(path.join('.'))}`}`];
  });
  return `Attributes. ${phrases.join('; ')}.`;
}

if (process.argv[1] === import.meta.filename) keep(file, page(), import.meta.filename);
