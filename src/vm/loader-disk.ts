import { child, children, type Node, number, text } from './xml.ts';

/** Which device of a domain holds the loader: the one that the firmware starts. Pure, from the domain's XML. */

export function isDisk(node: Node): boolean {
  const device = text(node, '@device') ?? 'disk';
  return device === 'disk' || device === 'lun';
}

/** A USB device of the host that the guest has for itself: a stick, or anything else. */
export function isPassedUsb(node: Node): boolean {
  return text(node, '@type') === 'usb';
}

/**
 * The disk, or the passed-through USB device (`hostdev`), or null. `<boot order>` of the devices decides; CD drives and
 * NICs in it are passed over, as the firmware does when it finds nothing there. With `<boot dev='hd'/>` QEMU is told the
 * first disk alone, in the order in which libvirt writes the XML (qemuBuildDisksCommandLine). libvirt writes one or the
 * other; without both the firmware finds a loader on USB.
 */
export function loaderDevice(domain: Node | undefined): Node | null {
  const devices = child(domain, 'devices');
  const disks = children(devices, 'disk').filter(isDisk);
  const passed = children(devices, 'hostdev').filter(isPassedUsb);
  const [first] = [...disks, ...passed]
    .flatMap(node => {
      const order = number(text(children(node, 'boot')[0], '@order'));
      return order === null ? [] : [{ node, order }];
    })
    .sort((one, other) => one.order - other.order);
  if (first) return first.node;
  const byKind = children(child(domain, 'os'), 'boot').some(boot => text(boot, '@dev') === 'hd');
  const disk = byKind ? disks[0] : disks.find(node => text(child(node, 'target'), '@bus') === 'usb');
  return disk ?? passed[0] ?? null;
}
