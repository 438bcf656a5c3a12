/** Each rule, with the smallest definition that it finds something in, and one that it finds nothing in. */
import { describe, expect, test } from 'vitest';
import { examine, rules } from '../../src/doctor/examine.ts';
import type { OtherDomain } from '../../src/doctor/facts.ts';
import type { GuestKind } from '../../src/model/check.ts';
import { factsOf, hostDisk, type More } from './facts.ts';

const domain = (inner: string, attributes = " type='kvm'") => `<domain${attributes}>${inner}</domain>`;
const devices = (inner: string) => domain(`<devices>${inner}</devices>`);
const os = (inner: string) => domain(`<os>${inner}</os>`);
const disk = (bus: string, { target = 'sda', more = '' } = {}) =>
  `<disk type='block' device='disk'><source dev='/dev/disk/by-id/x'/><target dev='${target}' bus='${bus}'/>${more}</disk>`;
const loaderDisk = (bus: string) => disk(bus, { target: 'sdz', more: "<boot order='1'/>" });
const nic = (model: string) =>
  `<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/><model type='${model}'/></interface>`;
const sata = "<controller type='sata' index='0'><address type='pci' bus='0' slot='0x1f' function='2'/></controller>";
const virtioScsi = "<controller type='scsi' index='0' model='virtio-scsi'/>";
const q35 = (inner: string) =>
  domain(`<os><type machine='pc-q35-9.2'>hvm</type></os><devices>${sata}${inner}</devices>`);
const hba = devices(
  "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='4' slot='0' function='0'/></source></hostdev>",
);
const sas = { host: { classes: new Map([['0000:04:00.0', '0x010700\n']]) } };
const memory = (gib: number, now = gib) =>
  domain(`<memory unit='GiB'>${gib}</memory><currentMemory unit='GiB'>${now}</currentMemory>`);
const custom = (model: string, features = '') => domain(`<cpu mode='custom'><model>${model}</model>${features}</cpu>`);
const own = domain("<cpu mode='host-passthrough'/>");
const graphics = (inner: string) => devices(`<graphics type='vnc' ${inner}</graphics>`);
const one = devices(disk('sata'));
const other = (more: Partial<OtherDomain>) => ({
  others: [{ name: 'other', active: true, disks: factsOf(one).disks, macs: [], ...more }],
});
const ds918 = { model: 'DS918+', kind: 'tcrp' };
const ds920 = { model: 'DS920+', kind: 'rr' };
const room = (free: number) => ({ rooms: [{ target: 'sda', pool: 'images', free, size: 1_000, growth: 90 }] });
const guests = (seconds: number) => ({ host: { stoppers: [{ who: 'libvirt-guests', seconds }] } });

type Case = readonly [xml: string, more?: More];
const cases: Readonly<Record<string, { found: readonly Case[]; nothing: readonly Case[] }>> = {
  no_acpi: {
    found: [[domain('')], [domain('<features><apic/></features>')]],
    nothing: [[domain('<features><acpi/></features>')]],
  },
  cpu_lacks: {
    found: [
      [custom('Nehalem'), { loader: ds918 }],
      [custom('Opteron_G3'), { loader: ds918 }],
      [domain(''), { loader: ds918 }],
      [custom('IvyBridge-IBRS'), { loader: { dsm: '7.3', model: 'DS3622xs+' } }],
      [custom('Haswell', "<feature policy='disable' name='movbe'/>"), { loader: ds918 }],
      [own, { loader: ds918, host: { cpuinfo: 'flags : fpu\n' } }],
    ],
    nothing: [
      [custom('Haswell-noTSX'), { loader: ds918 }],
      [custom('EPYC'), { loader: ds918 }],
      [custom('Nehalem', "<feature policy='require' name='movbe'/>"), { loader: ds918 }],
      [custom('Nehalem'), { loader: { model: 'DS3622xs+', dsm: '7.2.2' } }],
      [own, { loader: ds918 }],
      [domain("<cpu mode='maximum'/>", " type='qemu'"), { loader: ds918, host: { cpuinfo: 'flags : fpu\n' } }],
    ],
  },
  secure_boot: {
    found: [
      [os("<firmware><feature enabled='yes' name='enrolled-keys'/></firmware>")],
      [os("<loader secure='yes'>/usr/share/OVMF/OVMF_CODE_4M.ms.fd</loader>")],
      [os("<nvram template='/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd'>/nvram/DSM_VARS.fd</nvram>")],
      [os("<nvram template='/usr/share/qemu/ovmf-x86_64-ms-vars.bin'>/nvram/DSM_VARS.fd</nvram>")],
    ],
    nothing: [
      [os("<firmware><feature enabled='no' name='enrolled-keys'/></firmware>")],
      [os("<loader secure='no'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader><nvram>/nvram/DSM_VARS.fd</nvram>")],
      [os('<loader>/usr/share/OVMF/OVMF_CODE.secboot.fd</loader><nvram>/nvram/DSM_VARS.fd</nvram>')],
    ],
  },
  loader_bus: {
    found: [
      [devices(loaderDisk('virtio')), { loader: { kind: 'tcrp' } }],
      [devices(loaderDisk('scsi')), { loader: { kind: 'tcrp' } }],
      [devices(loaderDisk('fdc')), { loader: { kind: 'rr' } }],
    ],
    nothing: [
      [devices(loaderDisk('usb')), { loader: { kind: 'tcrp' } }],
      [devices(loaderDisk('sata')), { loader: { kind: 'tcrp' } }],
      [devices(loaderDisk('virtio')), { loader: { kind: 'rr' } }],
    ],
  },
  disk_in_use: {
    found: [[one, hostDisk('/dev/disk/by-id/x', { usedBy: 'is a part of /dev/md0' })]],
    nothing: [
      [one, hostDisk('/dev/disk/by-id/x', {})],
      [devices("<disk type='file'><source file='/images/x'/><target dev='sda'/></disk>"), { host: null }],
    ],
  },
  other_disk: {
    found: [[one, { ...hostDisk('/dev/disk/by-id/x', { identity: 'b' }), lastDisks: { '/dev/disk/by-id/x': 'a' } }]],
    nothing: [
      [one, { ...hostDisk('/dev/disk/by-id/x', { identity: 'a' }), lastDisks: { '/dev/disk/by-id/x': 'a' } }],
      [domain('')],
    ],
  },
  disk_of_two: {
    found: [
      [one, other({})],
      [one, other({ active: false })],
    ],
    nothing: [
      [one, other({ disks: [] })],
      [
        devices(disk('sata', { more: '<shareable/>' })),
        other({ disks: factsOf(devices(disk('sata', { more: '<shareable/>' }))).disks }),
      ],
      [devices("<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"), other({})],
    ],
  },
  hba_blacklisted: {
    found: [
      [hba, { loader: ds920, ...sas }],
      [hba, { loader: { model: 'DS923+', kind: 'arc' }, ...sas }],
    ],
    nothing: [
      [hba, { loader: { model: 'SA6400', kind: 'rr' }, ...sas }],
      [hba, { loader: { model: 'DS3622xs+', kind: 'rr' }, ...sas }],
      [hba, { loader: { model: 'DS920+', kind: 'tcrp' }, ...sas }],
      [hba, { loader: ds920, host: { classes: new Map([['0000:04:00.0', '0x020000']]) } }],
      [one, { loader: ds920 }],
    ],
  },
  tcg: { found: [[domain('', " type='qemu'")]], nothing: [[domain('')]] },
  power_action: {
    found: [
      [domain('<on_reboot>destroy</on_reboot>')],
      [domain('<on_poweroff>restart</on_poweroff>')],
      [domain('<on_crash>coredump-destroy</on_crash>')],
    ],
    nothing: [
      [domain('<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>restart</on_crash>')],
      [domain('')],
    ],
  },
  no_acpid: {
    found: [[domain(''), { loader: { acpid: false } }]],
    nothing: [[domain(''), { loader: { acpid: true } }]],
  },
  virtio_driver: {
    found: [
      [devices(nic('virtio')), { loader: { virtio: false } }],
      [devices(virtioScsi + disk('scsi')), { loader: { virtio: false } }],
    ],
    nothing: [
      [devices(nic('virtio')), { loader: { virtio: true } }],
      [devices(nic('e1000')), { loader: { virtio: false } }],
      [devices(virtioScsi), { loader: { virtio: false } }],
      [devices(`<controller type='scsi' index='0' model='lsilogic'/>${disk('scsi')}`), { loader: { virtio: false } }],
    ],
  },
  little_memory: {
    found: [
      [memory(1), { loader: { kind: 'tcrp' } }],
      [memory(3), { loader: { kind: 'rr' } }],
      [memory(3), { loader: { dsm: '7.2.2' } }],
      [memory(8, 2), { loader: { kind: 'rr' } }],
      [memory(8), { loader: { kind: 'rr' }, memoryNow: 2 ** 31 }],
    ],
    nothing: [
      [memory(2), { loader: { kind: 'tcrp', dsm: '7.2.1' } }],
      [memory(4), { loader: { kind: 'rr', dsm: '7.3' }, memoryNow: 2 ** 32 }],
    ],
  },
  host_shutdown: {
    found: [[domain(''), { ...guests(30), shutdownSeconds: 95.5 }]],
    nothing: [[domain(''), { ...guests(300), shutdownSeconds: 95.5 }], [domain('')]],
  },
  open_graphics: {
    found: [
      [graphics("listen='0.0.0.0'>")],
      [graphics("><listen type='address' address='::'/>")],
      [devices("<graphics type='vnc' listen='127.0.0.1'/><graphics type='spice' listen='0.0.0.0'/>")],
    ],
    nothing: [
      [graphics("listen='127.0.0.1'>")],
      [graphics("listen='0.0.0.0' passwd='x'>")],
      [graphics("><listen type='socket' socket='/s'/>")],
      [graphics("listen='0.0.0.0'>"), { host: { graphicsGuarded: true } }],
    ],
  },
  disk_by_letter: {
    found: ['/dev/sdb', '/dev/sdaa1', '/dev/nvme0n1', '/dev/dm-3'].map(path => [
      devices(`<disk type='block' device='disk'><source dev='${path}'/><target dev='sda'/></disk>`),
    ]),
    nothing: [
      '/dev/disk/by-id/ata-X',
      '/dev/disk/by-path/pci-0000:00:17.0-ata-1',
      '/dev/mapper/vg-dsm',
      '/dev/vg/dsm',
      '/dev/zvol/tank/dsm',
      '/images/dev/sdb',
    ].map(path => [devices(`<disk type='block' device='disk'><source dev='${path}'/><target dev='sda'/></disk>`)]),
  },
  cache_unsafe: {
    found: [[devices(disk('sata', { more: "<driver cache='unsafe'/>" }))]],
    nothing: [[devices(disk('sata', { more: "<driver cache='writeback'/>" }))]],
  },
  device_tree_bus: {
    found: [
      [devices(virtioScsi + disk('scsi')), { loader: ds920 }],
      [devices(disk('virtio')), { loader: { model: 'DS920+' } }],
    ],
    nothing: [
      [devices(sata + disk('sata') + loaderDisk('usb')), { loader: ds920 }],
      [devices(virtioScsi + disk('scsi')), { loader: ds918 }],
      [devices(virtioScsi + loaderDisk('scsi')), { loader: ds920 }],
    ],
  },
  virtio_blk: {
    found: [[devices(disk('virtio'))]],
    nothing: [[devices(disk('scsi'))], [devices(loaderDisk('virtio'))]],
  },
  too_many_disks: {
    found: [
      [devices(Array.from({ length: 17 }, (_, i) => disk('sata', { target: `sd${i}` })).join('')), { loader: ds918 }],
    ],
    nothing: [
      [devices(Array.from({ length: 16 }, (_, i) => disk('sata', { target: `sd${i}` })).join('')), { loader: ds918 }],
    ],
  },
  q35_sata: {
    found: [[q35(disk('sata')), { loader: ds918 }]],
    nothing: [
      [q35(''), { loader: ds918 }],
      [q35(disk('sata')), { loader: { ...ds918, kind: 'rr' } }],
      [q35(disk('sata')), { loader: { ...ds920, kind: 'tcrp' } }],
      [devices(sata + disk('sata')), { loader: ds918 }],
    ],
  },
  sata_map: {
    found: [
      [q35(disk('sata')), { loader: { ...ds918, map: { SataPortMap: '1', DiskIdxMap: '10' } } }],
      [q35(''), { loader: { ...ds918, map: { SataPortMap: '58', DiskIdxMap: '0A00' } } }],
      [q35(disk('sata')), { loader: { ...ds918, map: { SataPortMap: '', DiskIdxMap: '' } } }],
      [
        devices(`${sata}<controller type='sata' index='1'><address type='pci' bus='0' slot='0x20' function='0'/></controller>
          ${disk('sata')}${disk('sata', { target: 'sdb', more: "<address type='drive' controller='1' unit='0'/>" })}`),
        { loader: { ...ds918, map: { SataPortMap: '11', DiskIdxMap: '0000' } } },
      ],
    ],
    nothing: [
      [q35(disk('sata')), { loader: { ...ds918, map: { SataPortMap: '6', DiskIdxMap: '00' } } }],
      [q35(''), { loader: { ...ds918, map: { SataPortMap: '1', DiskIdxMap: '10' } } }],
      [q35(''), { loader: { ...ds918, map: { SataPortMap: '12', DiskIdxMap: '1000' } } }],
      [q35(disk('sata')), { loader: { ...ds918, kind: 'rr', map: 'unset' } }],
      [q35(disk('sata')), { loader: { ...ds920, map: { SataPortMap: '1', DiskIdxMap: '10' } } }],
    ],
  },
  pool_nearly_full: { found: [[one, room(50)]], nothing: [[one, room(95)], [one, room(500)], [one]] },
  no_nic: {
    found: [[devices('')]],
    nothing: [
      [devices(nic('virtio'))],
      [devices("<interface type='user'/>")],
      [hba],
      [domain("<qemu:commandline><qemu:arg value='-nic'/></qemu:commandline>")],
    ],
  },
  mac_of_two: {
    found: [[devices(nic('virtio')), other({ disks: [], macs: ['52:54:00:00:00:01'] })]],
    nothing: [[devices(nic('virtio')), other({ disks: [], macs: ['52:54:00:00:00:02'] })]],
  },
  many_vcpus: {
    found: [[domain('<vcpu>12</vcpu>'), { loader: ds918 }]],
    nothing: [
      [domain('<vcpu>8</vcpu>'), { loader: ds918 }],
      [domain("<vcpu current='4'>12</vcpu>"), { loader: ds918 }],
    ],
  },
  usb2_loader: {
    found: [
      [devices(`<controller type='usb' index='0' model='ich9-ehci1'/>${loaderDisk('usb')}`)],
      [devices(`<controller type='usb' index='0'/>${loaderDisk('usb')}`)],
      [
        devices(`<controller type='usb' index='0' model='qemu-xhci'/><controller type='usb' index='1' model='ehci'/>
          ${disk('usb', { more: "<boot order='1'/><address type='usb' bus='1' port='1'/>" })}`),
      ],
    ],
    nothing: [
      [devices(`<controller type='usb' index='0' model='qemu-xhci' ports='15'/>${loaderDisk('usb')}`)],
      [devices(`<controller type='usb' index='0' model='ich9-ehci1'/>${loaderDisk('sata')}`)],
      [devices(loaderDisk('usb'))],
    ],
  },
  nic_model: {
    found: [[devices(nic('e1000e'))], [devices(nic('vmxnet3'))]],
    nothing: [[devices(nic('virtio'))], [devices(nic('e1000'))]],
  },
  bridge_delay: {
    found: [[devices(nic('virtio')), { host: { bridgeDelays: new Map([['br0', 30]]) } }]],
    nothing: [
      [devices(nic('virtio')), { host: { bridgeDelays: new Map([['br0', 0]]) } }],
      [devices(nic('virtio')), { host: { bridgeDelays: new Map([['virbr0', 4]]) } }],
    ],
  },
  no_host_passthrough: {
    found: [[domain("<cpu mode='host-model'/>")], [custom('Haswell')]],
    nothing: [[own], [domain('', " type='qemu'")]],
  },
  no_autostart: {
    found: [[domain(''), { autostart: false }]],
    nothing: [[domain(''), { autostart: true }]],
  },
  macvtap: {
    found: [[devices("<interface type='direct'><source dev='eth0' mode='bridge'/></interface>")]],
    nothing: [[devices(nic('virtio'))]],
  },
  no_serial_log: {
    found: [[devices("<serial type='pty'/>")]],
    nothing: [[devices("<serial type='pty'><log file='/var/log/dsm.log' append='on'/></serial>")]],
  },
};

test('every rule is here', () => {
  expect(Object.keys(cases).toSorted()).toEqual(rules.map(({ code }) => code).toSorted());
});

describe.each(Object.entries(cases))('%s', (code, { found, nothing }) => {
  const codes = ([xml, more]: Case) => examine(factsOf(xml, more)).findings.map(finding => finding.code);
  test.each(found.map(each => [each]))('is found in %j', each => expect(codes(each)).toContain(code));
  test.each(nothing.map(each => [each]))('is not found in %j', each => expect(codes(each)).not.toContain(code));
});

describe('what cannot be seen is neither found nor passed over', () => {
  test.each<[string, Case]>([
    ['cpu_lacks', [own, { loader: ds918, host: null }]],
    ['cpu_lacks', [domain("<cpu mode='host-model'/>"), { loader: ds918 }]],
    ['disk_in_use', [one, { host: null }]],
    ['disk_in_use', [one]],
    ['other_disk', [one, hostDisk('/dev/disk/by-id/x', { identity: 'a' })]],
    ['hba_blacklisted', [hba, { loader: ds920, host: null }]],
    ['hba_blacklisted', [hba]],
    ['loader_bus', [devices(loaderDisk('virtio'))]],
    ['loader_bus', [devices(loaderDisk('virtio')), { loader: { kind: 'tinkered' } }]],
    ['no_acpid', [domain('')]],
    ['virtio_driver', [devices(nic('virtio'))]],
    ['little_memory', [memory(1)]],
    ['host_shutdown', [domain(''), guests(30)]],
    ['host_shutdown', [domain(''), { host: null }]],
    ['open_graphics', [graphics("listen='0.0.0.0'>"), { secure: false }]],
    ['device_tree_bus', [devices(disk('scsi'))]],
    ['q35_sata', [q35(disk('sata'))]],
    ['sata_map', [q35(disk('sata')), { loader: ds918 }]],
    ['disk_of_two', [one, { others: null }]],
    ['mac_of_two', [one, { others: null }]],
    ['pool_nearly_full', [one, { rooms: [null] }]],
    ['no_autostart', [one, { autostart: null }]],
    ['bridge_delay', [one, { host: null }]],
    ['many_vcpus', [domain('<vcpu>99</vcpu>'), { loader: { model: 'DS0+' } }]],
  ])('%s in %j', (code, [xml, more]) => {
    const { findings, unseen } = examine(factsOf(xml, more));
    expect(unseen.map(each => each.code)).toContain(code);
    expect(findings.map(each => each.code)).not.toContain(code);
  });
});

test('of a guest that is not DSM, only what holds for every guest is judged', () => {
  const xml = devices('');
  const codes = (guest: GuestKind) => examine(factsOf(xml, {}), guest).findings.map(({ code }) => code);
  expect(codes('dsm')).toEqual(expect.arrayContaining(['no_acpi', 'no_nic', 'no_serial_log']));
  expect(codes('other')).toEqual(['no_acpi']);
  expect(rules.filter(({ everyGuest, message }) => everyGuest && /DSM|loader/i.test(message))).toEqual([]);
});

test('a finding has the element and its value, why, and what mends it', () => {
  const { findings } = examine(factsOf(one, hostDisk('/dev/disk/by-id/x', { usedBy: 'is mounted at /srv' })));
  expect(findings).toContainEqual({
    ...{ level: 'harm', code: 'disk_in_use' },
    seen: "`<source dev='/dev/disk/by-id/x'/>` of the disk sda is mounted at /srv.",
    message: expect.stringContaining('destroy its data'),
    advice: expect.stringContaining('umount'),
  });
});

test('the lasting name of a disk is said where it is known', () => {
  const xml = devices("<disk type='block' device='disk'><source dev='/dev/sdb'/><target dev='sda'/></disk>");
  const { findings } = examine(factsOf(xml, hostDisk('/dev/sdb', { byId: '/dev/disk/by-id/ata-DISK_1' })));
  expect(findings.find(({ code }) => code === 'disk_by_letter')?.advice).toBe(
    "`<source dev='/dev/disk/by-id/ata-DISK_1'/>` is the same disk.",
  );
});

test('a disk of two domains is harm while both run, and a warning before', () => {
  const level = (more: Partial<OtherDomain>) =>
    examine(factsOf(one, other(more))).findings.find(({ code }) => code === 'disk_of_two')?.level;
  expect([level({}), level({ active: false })]).toEqual(['harm', 'warning']);
});

test('texts are sentences', () => {
  for (const { code, message, advice } of rules) {
    expect([code, message, advice]).toEqual([
      expect.stringMatching(/^[a-z0-9_]+$/),
      expect.stringMatching(/\.$/),
      expect.stringMatching(/\.$/),
    ]);
  }
});
