import { compareVersions, firstUnknownVersion } from '../../loader/platforms.ts';
import { children, text } from '../../vm/xml.ts';
import { type Facts, mib, type Rule, usesDeviceTree } from '../facts.ts';

/** The loader's disk, and what the loader needs or brings. */

/** Buses of a loader's disk: rploader.sh looks for USB and SATA, the init.sh of RR and Arc has a list. */
const modern = ['usb', 'sata', 'scsi', 'virtio', 'ide', 'nvme', 'sd'];
const buses: Readonly<Record<string, readonly string[]>> = { tcrp: ['usb', 'sata'], rr: modern, arc: modern };

export const loaderRules: readonly Rule[] = [
  {
    ...{ code: 'loader_bus', level: 'harm', source: 'loader' },
    message: 'The loader does not find its own files on a disk of this bus: it can neither build nor start DSM.',
    advice: "`<target dev='sdz' bus='usb'/>`, without the old `<address>`.",
    find: ({ disks, loader: { kind } }) => {
      const taken = buses[kind ?? ''];
      if (!taken) return null;
      return disks
        .filter(({ role, bus }) => role === 'loader' && bus !== null && !taken.includes(bus))
        .map(({ target, bus }) => `\`<target dev='${target}' bus='${bus}'/>\`; this loader takes ${taken.join(', ')}.`);
    },
  },
  {
    ...{ code: 'no_acpid', level: 'warning', source: 'loader' },
    message: 'Without acpid DSM does not hear the power button: it cannot be shut down from outside.',
    advice: 'TinyCore RedPill: add the acpid extension to `extensions`. RR: choose the addon acpid. Then rebuild.',
    find: ({ loader: { acpid } }) => (acpid === null ? null : acpid ? [] : ['The loader builds in no acpid.']),
  },
  {
    ...{ code: 'virtio_driver', level: 'warning', source: 'loader' },
    message: 'The loader has no driver for virtio: DSM has no network, or no disks.',
    advice:
      'Add the extension redpill-virtio to `extensions` (TinyCore RedPill, up to build 42962), and rebuild; or use e1000e and SATA.',
    find: facts => {
      const needing = needingVirtio(facts);
      if (needing.length === 0 || facts.loader.virtio) return [];
      return facts.loader.virtio === null ? null : needing;
    },
  },
  {
    ...{ code: 'little_memory', level: 'warning', source: 'loader' },
    message: 'The loader unpacks DSM in memory: with less than it needs, the build or the boot fails.',
    advice: "`<memory unit='GiB'>4</memory>` and `<currentMemory unit='GiB'>4</currentMemory>`.",
    find: littleMemory,
  },
  {
    ...{ code: 'usb2_loader', level: 'hint', source: 'definition' },
    message: 'On USB 2 or older the loader is slow to start and to build.',
    advice: "`<controller type='usb' index='0' model='qemu-xhci'/>` in place of the old one.",
    find: slowUsb,
  },
];

function needingVirtio(facts: Facts): string[] {
  const { hardware, controllers } = facts;
  // Another rule is about their bus.
  const held = usesDeviceTree(facts) ? [] : controllers.filter(({ kind }) => kind === 'virtio-scsi');
  const disks = held.flatMap(each => each.disks).filter(({ role }) => role === 'data');
  return [
    ...hardware.nics
      .filter(({ model }) => model?.startsWith('virtio'))
      .map(({ mac, model }) => `\`<model type='${model}'/>\` of the NIC ${mac}.`),
    ...disks.map(({ target }) => `The disk ${target} is on virtio-scsi.`),
  ];
}

/** 2 GiB; 4 GiB for DSM 7.2.2 and later, and for RR and Arc. */
function littleMemory({ hardware: { memory }, memoryNow, loader: { kind, dsm } }: Facts): string[] | null {
  const modern = dsm !== null && compareVersions(dsm, firstUnknownVersion) >= 0;
  const gib = modern || kind === 'rr' || kind === 'arc' ? 4 : kind === 'tcrp' ? 2 : null;
  if (gib === null) return null;
  const needs = `${modern ? `DSM ${dsm}` : 'the loader'} needs ${gib} GiB`;
  const little = (bytes: number | null) => bytes !== null && bytes < gib * 2 ** 30;
  if (little(memory)) return [`\`<currentMemory>\`, or \`<memory>\`: ${mib(memory)}; ${needs}.`];
  return little(memoryNow) ? [`The guest has ${mib(memoryNow)} now; ${needs}.`] : [];
}

/** The companions of an EHCI controller share its index. */
function slowUsb({ devices, disks }: Facts): string[] {
  const loader = disks.find(({ role }) => role === 'loader');
  if (loader?.bus !== 'usb') return [];
  const models = children(devices, 'controller')
    .filter(node => text(node, '@type') === 'usb' && (text(node, '@index') ?? '0') === loader.usbBus)
    .map(node => text(node, '@model') ?? 'piix3-uhci');
  if (models.length === 0 || models.some(model => /xhci|^none$/.test(model))) return [];
  return [`\`<controller type='usb' model='${models[0]}'/>\` carries the loader's disk ${loader.target}.`];
}
