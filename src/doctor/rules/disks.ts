import { platformOf } from '../../loader/platforms.ts';
import { sataMap } from '../../loader/sata-map.ts';
import { formatPci, type StorageController } from '../../vm/controllers.ts';
import { dataDisks, type Facts, mib, type Rule, type Seen, sourceOf, usesDeviceTree } from '../facts.ts';

/** The guest's disks, and what else may have them. */

/** Names that go by the order in which the kernel finds the devices. */
const byOrder = /^\/dev\/(?:[shv]d[a-z]+\d*|nvme\d+n\d+(?:p\d+)?|dm-\d+)$/;
/** Of the platforms geminilake, v1000 and r1000, for which boot.sh of RR and of Arc blacklists mpt3sas. */
const withoutSas = 'DS920+ DS1520+ DVA1622 DS1621+ DS2422+ FS2500 DS723+ DS923+ DS1522+'.split(' ');
const toVirtio =
  "`<target dev='sda' bus='scsi'/>`, without the old `<address>`, and `<controller type='scsi' model='virtio-scsi'/>`.";

export const diskRules: readonly Rule[] = [
  {
    ...{ code: 'disk_in_use', level: 'harm', source: 'host', everyGuest: true },
    message: 'The host uses this disk too, and two systems that write to one disk destroy its data.',
    advice: 'Take it from the VM, or from the host: `umount`, `mdadm --stop`, `vgchange -an`, `zpool export`.',
    find: ({ disks, host }) => {
      const used = disks.filter(({ source }) => source?.startsWith('/dev/'));
      const looks = used.map(disk => ({ disk, on: host?.disks.get(disk.source ?? '') }));
      const found = looks.flatMap(({ disk, on }) => (on?.usedBy ? [`${sourceOf(disk)} ${on.usedBy}.`] : []));
      return found.length === 0 && looks.some(({ on }) => !on) ? null : found;
    },
  },
  {
    ...{ code: 'other_disk', level: 'harm', source: 'host' },
    message: 'This name now leads to another disk than when DSM was last up: DSM may write to a strange disk.',
    advice: 'Do not start the VM before the name is right; `ls -l /dev/disk/by-id` shows the lasting names.',
    find: ({ disks, host, lastDisks }) => {
      const pairs = disks.map(
        disk => [disk, lastDisks?.[disk.source ?? ''], host?.disks.get(disk.source ?? '')] as const,
      );
      const known = pairs.filter(([, last, now]) => last !== undefined && now?.identity);
      if (known.length === 0 && disks.some(({ type }) => type === 'block')) return null;
      return known.filter(([, last, now]) => last !== now?.identity).map(([disk]) => `${sourceOf(disk)}.`);
    },
  },
  {
    ...{ code: 'disk_of_two', level: 'harm', source: 'libvirt', everyGuest: true },
    message: 'Two domains have this disk; when both run, they destroy its data.',
    advice: 'Take it out of one of them: `virsh detach-disk DOMAIN TARGET --config`.',
    find: sharedDisks,
  },
  {
    ...{ code: 'hba_blacklisted', level: 'harm', source: 'host' },
    message: 'RR and Arc blacklist the driver mpt3sas for this model: DSM does not see the disks of a SAS controller.',
    advice: 'Choose a model that has the driver, such as DS3622xs+ or SA6400, or give the disks to the VM on SATA.',
    find: blacklistedHba,
  },
  {
    ...{ code: 'disk_by_letter', level: 'warning', source: 'definition', everyGuest: true },
    message: 'The host may give this name to another disk at its next boot, and the VM then writes to that one.',
    advice: "`<source dev='/dev/disk/by-id/…'/>`: `ls -l /dev/disk/by-id` shows the lasting name.",
    find: ({ disks, host }) =>
      disks
        .filter(({ source }) => byOrder.test(source ?? ''))
        .map(disk => {
          const { byId } = host?.disks.get(disk.source ?? '') ?? {};
          return {
            seen: `${sourceOf(disk)}.`,
            ...(byId && { advice: `\`<source dev='${byId}'/>\` is the same disk.` }),
          };
        }),
  },
  {
    ...{ code: 'cache_unsafe', level: 'warning', source: 'definition', everyGuest: true },
    message: 'The host ignores when the guest wants its data on the disk: a power failure may cost the whole volume.',
    advice: "`<driver name='qemu' cache='none' io='native'/>`, with the old `type`.",
    find: ({ disks }) =>
      disks
        .filter(({ cache }) => cache === 'unsafe')
        .map(({ target }) => `\`<driver cache='unsafe'/>\` of the disk ${target}.`),
  },
  {
    ...{ code: 'device_tree_bus', level: 'warning', source: 'loader' },
    message: 'The device tree of this model has SATA ports: only on emulated SATA DSM surely finds a disk.',
    advice: "`<target dev='sda' bus='sata'/>`, without the old `<address>`; or a model without a device tree.",
    find: facts => {
      const deviceTree = usesDeviceTree(facts);
      return deviceTree === null ? null : deviceTree ? onBus(facts, /^(?:scsi|virtio|ide)$/) : [];
    },
  },
  {
    ...{ code: 'virtio_blk', level: 'warning', source: 'definition' },
    message: 'DSM takes SATA, SCSI and NVMe disks for its own, and none of virtio-blk (fbelavenuto/arpl#414).',
    advice: toVirtio,
    find: facts => (usesDeviceTree(facts) ? [] : onBus(facts, /^virtio$/)),
  },
  {
    ...{ code: 'too_many_disks', level: 'warning', source: 'loader' },
    message: 'DSM shows only as many disks as its model has slots.',
    advice: 'Take disks away, or choose a larger model.',
    find: facts => {
      const { model } = facts.loader;
      const [count, slots] = [dataDisks(facts).length, platformOf(model)?.maxDisks ?? null];
      if (slots === null) return null;
      return count > slots ? [`${count} data disks; ${model} has ${slots} slots.`] : [];
    },
  },
  {
    ...{ code: 'q35_sata', level: 'warning', source: 'loader' },
    message:
      "`satamap` of TinyCore RedPill calls Q35's own SATA controller bogus, and hides its disks; DSM runs it at 1.5 Gbit/s (150 MiB/s, measured in 2022).",
    advice: toVirtio,
    find: q35Sata,
  },
  {
    ...{ code: 'sata_map', level: 'warning', source: 'loader' },
    message:
      'SataPortMap and DiskIdxMap do not fit the SATA controllers: DSM misses disks, or complains of empty ports.',
    advice: 'Leave out `sata_map`, so that both are computed, and rebuild.',
    find: unfitMap,
  },
  {
    ...{ code: 'pool_nearly_full', level: 'warning', source: 'libvirt', everyGuest: true },
    message: 'The pool has less than a tenth left, and less than the image may need: then libvirt pauses the VM.',
    advice: 'Make room there, or move the image to a larger pool.',
    find: ({ rooms }) => {
      const full = rooms.flatMap(room => (room && room.free < room.growth && room.free < room.size / 10 ? [room] : []));
      if (full.length === 0 && rooms.includes(null)) return null;
      return full.map(
        ({ target, pool, free, growth }) =>
          `The image of ${target} may grow by ${mib(growth)}; the pool ${pool} has ${mib(free)} left.`,
      );
    },
  },
];

function onBus(facts: Facts, buses: RegExp): string[] {
  return dataDisks(facts).flatMap(({ target, bus }) =>
    bus !== null && buses.test(bus) ? [`\`<target dev='${target}' bus='${bus}'/>\`.`] : [],
  );
}

function sharedDisks({ disks, active, others }: Facts): Seen[] | null {
  const own = disks.filter(({ role, source }) => role !== 'removable' && source !== null);
  const pairs = others?.flatMap(other => other.disks.flatMap(theirs => own.map(disk => ({ other, theirs, disk }))));
  return (
    pairs
      ?.filter(({ theirs, disk }) => theirs.source === disk.source && !(theirs.shareable && disk.shareable))
      .map(({ other, theirs, disk }) => ({
        seen: `${sourceOf(disk)} is the disk ${theirs.target} of the domain ${other.name} too.`,
        level: active && other.active ? 'harm' : 'warning',
      })) ?? null
  );
}

function blacklistedHba({ controllers, host, loader: { kind, model } }: Facts): string[] | null {
  const passed = controllers.flatMap(({ host: at }) => (at ? [formatPci(at)] : []));
  const concerned = ['rr', 'arc', null].includes(kind) && (model === null || withoutSas.includes(model));
  if (passed.length === 0 || !concerned) return [];
  if (!host || kind === null || model === null) return null;
  // PCI's class 01 is storage, its subclass 07 SAS.
  return passed
    .filter(address => host.classes.get(address)?.startsWith('0x0107'))
    .map(address => `The SAS controller ${address} of the host is passed through to a ${model}.`);
}

function q35Sata(facts: Facts): string[] | null {
  const { loader, hardware, controllers } = facts;
  const deviceTree = usesDeviceTree(facts);
  const own = ({ kind, host, pci, index }: StorageController) =>
    kind === 'ahci' && !host && (pci ? formatPci(pci) === '0000:00:1f.2' : index === 0);
  const held = controllers.filter(own).flatMap(({ disks }) => disks.filter(({ role }) => role === 'data'));
  if (held.length === 0 || !hardware.machine?.includes('q35')) return [];
  if (loader.kind === null || deviceTree === null) return null;
  if (loader.kind !== 'tcrp' || deviceTree) return [];
  return held.map(({ target }) => `The disk ${target} is on the SATA controller at 0000:00:1f.2.`);
}

/** Only SATA controllers heed the maps: one with data disks needs its ports, one without may take no slot. */
function unfitMap(facts: Facts): readonly Seen[] | null {
  const { controllers, loader } = facts;
  const row = platformOf(loader.model);
  if (loader.map === 'unset' || usesDeviceTree(facts)) return [];
  const computed = row && sataMap(controllers, row);
  if (loader.map === null || !computed || 'refusal' in computed) return null;
  const count = controllers.filter(({ kind }) => kind === 'ahci' || kind === 'passthrough').length;
  const { SataPortMap, DiskIdxMap } = loader.map;
  const slots = row.maxDisks ?? 16;
  const taken = new Set<number>();
  const fits = Array.from({ length: count }, (_, at) => {
    const pair = (map: string) => Number.parseInt(map.slice(2 * at, 2 * at + 2), 16);
    const [first, ports] = [pair(DiskIdxMap), Number(SataPortMap[at])];
    if (pair(computed.map.DiskIdxMap) >= slots) return first >= slots;
    const own = Array.from({ length: ports || 0 }, (_, port) => first + port);
    const free = own.every(slot => slot < slots && !taken.has(slot));
    for (const slot of own) taken.add(slot);
    return free && ports >= Number(computed.map.SataPortMap[at]);
  });
  if (fits.every(fit => fit)) return [];
  const better = `SataPortMap ${computed.map.SataPortMap}, DiskIdxMap ${computed.map.DiskIdxMap}`;
  const seen = `SataPortMap ${SataPortMap}, DiskIdxMap ${DiskIdxMap}; ${better} would fit.`;
  return [seen];
}
