import { child, children, text } from '../../vm/xml.ts';
import type { Rule } from '../facts.ts';

/** The guest's NICs. */

/** What somebody saw of these models. */
const unproven: Readonly<Record<string, string>> = { e1000e: 'DSM lost its address', vmxnet3: 'it ran at 600 Mbit/s' };
/** Seconds until a port forwards, after which DHCP may have given up. */
const longWait = 8;

export const networkRules: readonly Rule[] = [
  {
    ...{ code: 'no_nic', level: 'warning', source: 'definition' },
    message: 'Without a NIC nobody reaches DSM, and RR and Arc do not start.',
    advice: "`<interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>`.",
    // A passed-through device may be one, and QEMU's own arguments may have one.
    find: ({ devices, domain }) => {
      const any = ['interface', 'hostdev'].some(name => children(devices, name).length > 0);
      return any || domain['qemu:commandline'] !== undefined ? [] : ['There is no `<interface>`.'];
    },
  },
  {
    ...{ code: 'mac_of_two', level: 'warning', source: 'libvirt', everyGuest: true },
    message: 'Two domains with one MAC take packets from each other, if they run in one network.',
    advice: 'Remove `<mac>` from the other domain: libvirt gives it a new one.',
    find: ({ hardware: { nics }, others }) =>
      others?.flatMap(({ name, macs }) =>
        nics.flatMap(({ mac }) =>
          macs.includes(mac) ? [`\`<mac address='${mac}'/>\` is in the domain ${name} too.`] : [],
        ),
      ) ?? null,
  },
  {
    ...{ code: 'nic_model', level: 'hint', source: 'definition' },
    message:
      'This NIC failed DS918+ 7.1.1 under TinyCore RedPill 0.9.2 (October 2022); newer loaders have other drivers.',
    advice: "If the network fails or is slow: `<model type='virtio'/>`, with a loader that has its driver.",
    find: ({ hardware: { nics } }) =>
      nics.flatMap(({ mac, model }) => {
        const said = unproven[model ?? ''];
        return said ? [`\`<model type='${model}'/>\` of the NIC ${mac}: ${said}.`] : [];
      }),
  },
  {
    ...{ code: 'bridge_delay', level: 'hint', source: 'host' },
    message: 'A bridge with STP and a forward delay: loader and DSM get no address in the first seconds of each start.',
    advice:
      '`ip link set BRIDGE type bridge forward_delay 200`, or `stp_state 0`; also in the network settings of the host.',
    find: ({ host, bridges }) =>
      host &&
      bridges.flatMap(name => {
        const seconds = host.bridgeDelays.get(name) ?? 0;
        return seconds > longWait ? [`A new port of the bridge ${name} forwards after ${seconds} s.`] : [];
      }),
  },
  {
    ...{ code: 'macvtap', level: 'info', source: 'definition', everyGuest: true },
    message: 'Over macvtap, guest and host cannot talk to each other: checks from this host do not reach the guest.',
    advice: "`<interface type='bridge'>` on a bridge of the host, or checks from another machine.",
    find: ({ devices }) =>
      children(devices, 'interface')
        .filter(node => text(node, '@type') === 'direct')
        .map(node => `\`<interface type='direct'>\` on ${text(child(node, 'source'), '@dev') ?? 'a network'}.`),
  },
];
