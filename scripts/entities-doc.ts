import { readFileSync, writeFileSync } from 'node:fs';
import { type BridgeEntity, bridgeEntities, type VmEntity, vmEntities } from '../src/discovery/entities.ts';
import type { DomainDescription } from '../src/model/domain.ts';

/** Writes docs/entities.md from the entity table: `node scripts/entities-doc.ts --write`, or `--check` that it is current. */

const file = new URL('../docs/entities.md', import.meta.url);

export function page(): string {
  const vm = vmEntities(sample, { commands: ['start', 'shutdown'], powerCategory: 'config' });
  const of = (prefix: string) => vm.filter(({ key }) => key.startsWith(prefix));
  const machine = vm.filter(({ key }) => !/^(disk|nic)_/.test(key));
  return `# Entities

<!-- Made from src/discovery/entities.ts by \`node scripts/entities-doc.ts --write\`. -->

What Home Assistant shows of each virtual machine and of the bridge. **On** says whether an entity is enabled from the
start; the others wait under the device's "entities not shown". A value that is not known is *unknown*, never zero.
Unique ids are \`dsm2mqtt_<domain uuid>_<key>\`. The topics, below the base topic \`B\` and the machine's key \`V\`, carry the
same values in base units (bytes, bytes per second).

## Virtual machine

${table('B/V', machine)}

The power switch needs both commands, each button its own; read-only there are none.

## Each disk

Data disks are "Disk 1", "Disk 2", … in the machine's order; the loader's is "Loader disk", a drive "Removable disk
hdc". All entities of those two start disabled. Keys carry the target, here \`sda\`. The rates have role, bus, host path and
target as attributes.

${table('B/V', of('disk_'))}

## Each network interface

"Network", or "Network 1", "Network 2", … when there are several. Directions are the guest's. Keys carry the MAC, here of
52:54:00:d5:30:01. The rates have MAC, model, bridge and tap as attributes.

${table('B/V', of('nic_'))}

## Bridge

${table('B/bridge', bridgeEntities)}
`;
}

const sample: DomainDescription = {
  uuid: '',
  name: 'DSM',
  hardware: {
    machine: null,
    vcpus: null,
    memory: null,
    disks: [{ target: 'sda', role: 'data', bus: null, source: null }],
    nics: [{ mac: '52:54:00:d5:30:01', model: null, source: null, tap: null }],
  },
};

function table(topics: string, entities: readonly (VmEntity | BridgeEntity)[]): string {
  const rows = entities.map(entity => [
    entity.name ?? "*the device's name*",
    code(entity.key),
    entity.platform.replace('_', ' '),
    entity.unit_of_measurement ?? entity.options?.join(', ') ?? entity.device_class ?? '',
    entity.enabled_by_default === false ? '' : 'on',
    entity.entity_category ?? '',
    entity.value
      ? [`${topics}/${entity.value.topic}`, entity.value.path.join('.')].filter(Boolean).map(code).join(' ')
      : '',
  ]);
  const head = ['Name', 'Key', 'Platform', 'Unit or kind', 'On', 'Category', 'Topic, place in it'];
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

const code = (text: string) => `\`${text}\``;

if (process.argv[1] === import.meta.filename) {
  const current = page();
  if (process.argv.includes('--write')) writeFileSync(file, current);
  else if (readFileSync(file, 'utf8') !== current) {
    console.error('docs/entities.md is not current: run `node scripts/entities-doc.ts --write`');
    process.exitCode = 1;
  }
}
