import { hash } from 'node:crypto';
import { escaped } from '../vm/xml.ts';

/** The XML of a domain that DSM runs well in: what `doctor` has nothing to say of. Pure. */

export interface Draft {
  name: string;
  uuid: string;
  /** Without KVM it is emulated. */
  kvm: boolean;
  /** Bytes. */
  memory: number;
  vcpus: number;
  firmware: 'uefi' | 'bios';
  bridge: string;
  mac: string;
  /** Path of the loader's image. */
  image: string;
  /** Paths on libvirt's machine, in DSM's order. */
  disks: readonly string[];
  /** The model finds its disks by a device tree, which has SATA ports. */
  deviceTree: boolean;
}

/**
 * Everything is on the root bus, as in the seed of this project: on a PCIe port virtio devices lose their older
 * interface, the only one that DSM's older kernels know, and the order of the controllers is certain only there.
 */
export function draftXml(draft: Draft): string {
  const { name, uuid, kvm, memory, vcpus, bridge, mac, image, disks, deviceTree } = draft;
  const kib = memory / 1024;
  return `<domain type='${kvm ? 'kvm' : 'qemu'}'>
  <name>${escaped(name)}</name>
  <uuid>${uuid}</uuid>
  <memory unit='KiB'>${kib}</memory>
  <currentMemory unit='KiB'>${kib}</currentMemory>
  <vcpu placement='static'>${vcpus}</vcpu>
${firmware(draft)}
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='${kvm ? 'host-passthrough' : 'maximum'}'/>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>restart</on_crash>
  <devices>
${disks.map((path, nth) => disk(path, nth, deviceTree)).join('\n')}
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='writeback'/>
      <source file='${escaped(image)}'/>
      <target dev='sdz' bus='usb'/>
      <boot order='1'/>
    </disk>
    <controller type='pci' index='0' model='pcie-root'/>
${controller('usb', 0, " model='qemu-xhci'", at(1))}
${deviceTree ? sataControllers(disks.length) : controller('scsi', 0, " model='virtio-scsi'", at(2))}
${controller('virtio-serial', 0, '', at(6))}
    <interface type='bridge'>
      <mac address='${mac.toLowerCase()}'/>
      <source bridge='${escaped(bridge)}'/>
      <model type='virtio'/>
      ${at(3)}
    </interface>
    <serial type='pty'>
      <log file='/var/log/libvirt/qemu/${escaped(name.replaceAll('/', '_'))}-serial.log' append='on'/>
      <target type='isa-serial' port='0'/>
    </serial>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <graphics type='vnc' port='-1' autoport='yes'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
    <video>
      <model type='vga' vram='16384' heads='1' primary='yes'/>
      ${at(4)}
    </video>
    <memballoon model='virtio'>
      ${at(5)}
    </memballoon>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
      ${at(7)}
    </rng>
  </devices>
</domain>
`;
}

/** As libvirt's own MACs begin; of two hosts with a domain of this name each has another. */
export function stableMac(host: string, name: string): string {
  const digits = hash('sha256', `${host}\0${name}`).slice(0, 6);
  return `52:54:00:${digits.match(/../g)?.join(':')}`;
}

function firmware({ firmware: kind }: Draft): string {
  const type = "<type arch='x86_64' machine='q35'>hvm</type>";
  if (kind === 'bios') return `  <os>\n    ${type}\n  </os>`;
  const off = ['enrolled-keys', 'secure-boot'].map(name => `      <feature enabled='no' name='${name}'/>`);
  return ["  <os firmware='efi'>", `    ${type}`, '    <firmware>', ...off, '    </firmware>', '  </os>'].join('\n');
}

/** A controller of Q35's kind has 6 ports. */
const ports = 6;

function disk(path: string, nth: number, deviceTree: boolean): string {
  const block = path.startsWith('/dev/');
  const [bus, controller, unit] = deviceTree ? ['sata', Math.floor(nth / ports), nth % ports] : ['scsi', 0, nth];
  return `    <disk type='${block ? 'block' : 'file'}' device='disk'>
      <driver name='qemu' type='raw'${block ? " cache='none' io='native'" : ''}/>
      <source ${block ? 'dev' : 'file'}='${escaped(path)}'/>
      <target dev='sd${String.fromCharCode(97 + nth)}' bus='${bus}'/>
      <address type='drive' controller='${controller}' bus='0' target='0' unit='${unit}'/>
    </disk>`;
}

/** The first one is Q35's own. */
function sataControllers(disks: number): string {
  const all = Array.from({ length: Math.ceil(disks / ports) }, (_, index) => index);
  return all.map(index => controller('sata', index, '', index === 0 ? at(0x1f, 2) : at(index + 7))).join('\n');
}

function controller(type: string, index: number, more: string, place: string): string {
  return `    <controller type='${type}' index='${index}'${more}>\n      ${place}\n    </controller>`;
}

function at(slot: number, part = 0): string {
  const hex = slot.toString(16).padStart(2, '0');
  return `<address type='pci' domain='0x0000' bus='0x00' slot='0x${hex}' function='0x${part}'/>`;
}
