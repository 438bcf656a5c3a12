import { parseControllers } from '../../vm/controllers.ts';
import { parseDomainXml } from '../../vm/domain-xml.ts';
import { child, children, type Node, parseDomain, text } from '../../vm/xml.ts';

/** The parts of a domain's XML that matter for building a loader, and for the DSM that starts from it. */
export type Definition = ReturnType<typeof readDefinition>;

/** Throws when it is no XML at all. */
export function readDefinition(xml: string) {
  const domain = parseDomain(xml);
  const hardware = parseDomainXml(xml);
  const passed = children(child(domain, 'devices'), 'hostdev').filter(node => text(node, '@type') === 'usb').length;
  return {
    hardware,
    controllers: parseControllers(xml),
    /** That the guest may see; a passed-through device of the host may be one. */
    usbDisks: hardware.disks.filter(({ bus }) => bus === 'usb').length + passed,
    hostCpu: hostCpu(domain),
  };
}

/** CPU flags as in /proc/cpuinfo, of which this is the text; null: not known. */
export function cpuFlags({ hostCpu: cpu }: Definition, cpuinfo: string): readonly string[] | null {
  const [, flags] = /^flags\s*:(.*)$/m.exec(cpuinfo) ?? [];
  if (cpu === null || flags === undefined) return null;
  const all = flags.trim().split(/\s+/);
  return all.filter(flag => !cpu.without.includes(flag));
}

/** The host's CPU without these flags; null: another CPU. Without KVM, `maximum` is all that QEMU can emulate. */
function hostCpu(domain: Node | undefined): { without: readonly string[] } | null {
  const cpu = child(domain, 'cpu');
  const mode = text(cpu, '@mode');
  if (text(domain, '@type') !== 'kvm' || (mode !== 'host-passthrough' && mode !== 'maximum')) return null;
  const features = [cpu?.['feature']].flat().filter(node => typeof node === 'object');
  const taken = features.filter(node => ['disable', 'forbid'].includes(text(node, '@policy') ?? ''));
  return { without: taken.flatMap(node => text(node, '@name') ?? []) };
}
