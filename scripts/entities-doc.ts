import { type BridgeEntity, bridgeEntities, type VmEntity, vmEntities } from '../src/discovery/entities/table.ts';
import { commandWords } from '../src/model/commands.ts';
import { type DomainDescription, unknownDescription, unknownHardware } from '../src/model/domain.ts';
import { code, keep, table } from './page.ts';

/** Writes docs/entities.md from the entity table: `node scripts/entities-doc.ts --write`, without it checks that it is current. */

const file = new URL('../docs/entities.md', import.meta.url);

export function page(): string {
  const vm = vmEntities(sample, { commands: commandWords, powerCategory: 'config', loader: true });
  const of = (prefix: string) => vm.filter(({ key }) => key.startsWith(prefix));
  const loader = vm.filter(({ key }) => /^(rebuild|rollback|arm|loader_.*)$/.test(key));
  const machine = vm.filter(entity => !/^(disk|nic)_/.test(entity.key) && !loader.includes(entity));
  return `# Entities

<!-- Made from the tables in src/discovery by \`node scripts/entities-doc.ts --write\`. -->

What Home Assistant shows of each virtual machine and of the bridge. **On** says whether an entity is enabled from the
start; the others wait under the device's "entities not shown". A value that is not known is *unknown*, never zero.
Unique ids are \`dsm2mqtt_<domain uuid>_<key>\`. The topics, below the base topic \`B\` and the machine's key \`V\`, carry the
same values in base units (bytes, bytes per second).

## Virtual machine

${entityTable('B/V', machine)}

A button is there if its key is among the VM's \`commands\`, the power switch if both of its are, the screen if
\`screenshot\` is. Autostart is a switch if \`autostart\` is among them, else a binary sensor that only shows it. With
\`libvirt.read_only\` nothing can be pressed or switched. [Commands](commands.md) says what each does, and what the event
entity tells, [Checks](checks.md) what the checks' entities do; those, the event and the button Check stay available while libvirt is
away, for DSM can be asked without it.

Memory used does not count what the guest could give away, its cache above all. A kernel before 4.6 does not tell that:
then it is *unknown*. vCPUs are those that are online, memory what the guest has now, of perhaps more that can be added.

${attributes(machine)}

## Loader

These are there if the VM's \`loader\` is configured.

${entityTable('B/V', loader)}

The two buttons are there if their keys are among the VM's \`commands\`, the switch if one of them is. They can be pressed
while the switch is on, which it is for a while only. The update entity compares the DSM that runs with the one that the
configuration asks for. It has no "Install", so that "update everything" cannot take the NAS down, and it is *unknown*
until DSM has told its version; Home Assistant does not compare builds, so another build of the same release is no update
to it. All but the buttons stay available while libvirt is away.

${attributes(loader)}

## Each disk

Data disks are "Disk 1", "Disk 2", … in the machine's order; the loader's, which is the one that the firmware starts, is
"Loader disk", a drive "Removable disk hdc". All entities of those two start disabled. Keys carry the target, here \`sda\`. The rates have role, bus, host path and
target as attributes.

${entityTable('B/V', of('disk_'))}

## Each network interface

"Network", or "Network 1", "Network 2", … when there are several. Directions are the guest's. Keys carry the MAC, here of
52:54:00:d5:30:01; the second one of the same MAC has \`525400d53001_2\`, in the definition's order. The rates have MAC, model, bridge and tap as attributes.

${entityTable('B/V', of('nic_'))}

## Bridge

${entityTable('B/bridge', bridgeEntities)}
`;
}

const sample: DomainDescription = {
  uuid: '',
  name: 'DSM',
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

type AnyEntity = VmEntity | BridgeEntity;

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
