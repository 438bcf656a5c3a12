import { cpuFlags } from '../../loader/plan/definition.ts';
import { compareVersions, platformOf } from '../../loader/platforms.ts';
import { serialLog } from '../../vm/console.ts';
import { child, children, content, text } from '../../vm/xml.ts';
import type { Facts, Rule, Seen } from '../facts.ts';

/** Processor, firmware, console, and how the VM ends. */

/** CPU models of libvirt and QEMU before Haswell, and of AMD before Zen. */
const withoutMovbe =
  /^(?:[34]86|pentium\w*|coreduo|core2duo|athlon|phenom|(?:qemu|kvm)(?:32|64)|cpu64-rhel[56]|Conroe|Penryn|Nehalem|Westmere|SandyBridge|IvyBridge|Opteron_G[1-5])(?:-IBRS|-v\d+)?$/;
/** Files of firmware and of its variables with enrolled keys (Debian, Fedora, SUSE). */
const withKeys = /\.(?:ms|snakeoil)\.(?:4m\.)?(?:fd|qcow2)$|VARS(?:_4M)?\.secboot\.(?:fd|qcow2)$|-ms-(?:code|vars)/i;

export const machineRules: readonly Rule[] = [
  {
    ...{ code: 'no_acpi', level: 'harm', source: 'definition', everyGuest: true },
    message: 'Without ACPI the VM has no power button: it cannot be shut down, only switched off.',
    advice: '`<features><acpi/></features>`.',
    find: ({ domain }) => (child(domain, 'features')?.['acpi'] === undefined ? ['`<features>` has no `<acpi/>`.'] : []),
  },
  {
    ...{ code: 'cpu_lacks', level: 'harm', source: 'loader' },
    message: 'DSM is built for the instruction movbe, and does not start without it.',
    advice: "`<cpu mode='host-passthrough'/>`; if the host lacks it too, a model that needs none, such as DS3622xs+.",
    find: lackingCpu,
  },
  {
    ...{ code: 'secure_boot', level: 'harm', source: 'definition' },
    message: 'No loader is signed with the keys of this firmware: with Secure Boot it is refused.',
    advice:
      "`<os firmware='efi'><firmware><feature enabled='no' name='enrolled-keys'/><feature enabled='no' name='secure-boot'/></firmware>`, without `<loader>` and `<nvram>`; then once `virsh start --reset-nvram`.",
    find: secureBoot,
  },
  {
    ...{ code: 'tcg', level: 'warning', source: 'definition', everyGuest: true },
    message: 'An emulated processor (TCG) instead of KVM makes the guest many times slower.',
    advice: "`<domain type='kvm'>`; if libvirt refuses it, turn on virtualization in the firmware of the host.",
    find: ({ domain }) => (text(domain, '@type') === 'qemu' ? ["`<domain type='qemu'>`."] : []),
  },
  {
    ...{ code: 'power_action', level: 'warning', source: 'definition' },
    message: 'After its own restart or a crash DSM has to come back, and after a shutdown to stay off.',
    advice: '`<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>restart</on_crash>`.',
    find: ({ domain }) => [
      ...action(domain, 'on_reboot', /destroy|preserve/),
      ...action(domain, 'on_poweroff', /restart|preserve/),
      // Only a guest that reports its panic ends so.
      ...action(domain, 'on_crash', /destroy|preserve/).map(seen => ({ seen, level: 'hint' as const })),
    ],
  },
  {
    ...{ code: 'host_shutdown', level: 'warning', source: 'host', everyGuest: true },
    message: 'When the host goes down, libvirt-guests or Docker cuts the power before the guest has shut down.',
    advice: 'A longer `SHUTDOWN_TIMEOUT`, or `stop_grace_period`; or shut the VM down before the host.',
    find: ({ host, shutdownSeconds: took }) => {
      if (!host || (took === null && host.stoppers.length > 0)) return null;
      const early = host.stoppers.filter(({ seconds }) => seconds < (took ?? 0));
      return early.map(({ who, seconds }) => `${who}: ${seconds} s; a shutdown took ${Math.ceil(took ?? 0)} s.`);
    },
  },
  {
    ...{ code: 'open_graphics', level: 'warning', source: 'definition', everyGuest: true },
    message:
      'Graphics on all addresses without a password: anybody in the network sees the console, and can type there.',
    advice: "`<listen type='address' address='127.0.0.1'/>` and `ssh -L 5900:127.0.0.1:5900 HOST`; or a `passwd`.",
    find: openGraphics,
  },
  {
    ...{ code: 'many_vcpus', level: 'hint', source: 'loader' },
    message: 'DSM uses only as many vCPUs as its model has threads.',
    advice: 'Fewer in `<vcpu>`, or a larger model.',
    find: ({ hardware: { vcpus }, loader: { model } }) => {
      const most = platformOf(model)?.maxThreads ?? null;
      if (most === null || vcpus === null) return null;
      return vcpus > most ? [`\`<vcpu>${vcpus}</vcpu>\`; ${model} uses ${most}.`] : [];
    },
  },
  {
    ...{ code: 'no_host_passthrough', level: 'info', source: 'definition' },
    message: 'Another CPU than that of the host may lack instructions which make DSM faster.',
    advice: "`<cpu mode='host-passthrough'/>`.",
    find: ({ domain }) => {
      const mode = text(child(domain, 'cpu'), '@mode');
      const own = mode === 'host-passthrough' || mode === 'maximum' || text(domain, '@type') !== 'kvm';
      return own ? [] : [mode === null ? '`<cpu>` has no mode.' : `\`<cpu mode='${mode}'>\`.`];
    },
  },
  {
    ...{ code: 'no_autostart', level: 'info', source: 'libvirt', everyGuest: true },
    message: 'Without autostart, the VM stays off after a restart of the host until somebody starts it.',
    advice: '`virsh autostart NAME`, or the switch Autostart in Home Assistant.',
    find: ({ autostart }) => (autostart === null ? null : autostart ? [] : ['Autostart is off.']),
  },
  {
    ...{ code: 'no_serial_log', level: 'info', source: 'definition' },
    message: 'Loader and DSM tell only the serial console why they do not boot, and nothing keeps it.',
    advice:
      "`<serial type='pty'><log file='/var/log/libvirt/qemu/NAME-serial.log' append='on'/></serial>`; the bridge then says where a boot stopped.",
    find: ({ devices }) => (serialLog(devices) === null ? ['No `<serial>` has a `<log file=…>`.'] : []),
  },
];

/** Only movbe: no other instruction is known to be needed. */
function lackingCpu(facts: Facts): string[] | null {
  const { domain, host, loader } = facts;
  const { dsm, model } = loader;
  // RR calls 7.3 and later unsupported without it (menu.sh).
  const needing = dsm !== null && compareVersions(dsm, '7.3') >= 0 ? `DSM ${dsm}` : model;
  const flagsNeeded = platformOf(model)?.cpuFlags;
  if (needing === model && !flagsNeeded?.includes('movbe')) return flagsNeeded ? [] : null;
  const cpu = child(domain, 'cpu');
  const feature = children(cpu, 'feature').find(node => text(node, '@name') === 'movbe');
  const policy = feature && (text(feature, '@policy') ?? 'require');
  if (policy === 'require' || policy === 'force') return [];
  if (policy) return [`\`<feature policy='${policy}' name='movbe'/>\`; ${needing} needs it.`];
  const mode = text(cpu, '@mode') ?? 'custom';
  if (mode === 'custom') {
    // libvirt's own default.
    const named = content(cpu, 'model') ?? 'qemu64';
    return withoutMovbe.test(named) ? [`\`<model>${named}</model>\` has no movbe; ${needing} needs it.`] : [];
  }
  const flags = cpuFlags(facts, host?.cpuinfo ?? '');
  if (mode === 'maximum' || flags?.includes('movbe')) return [];
  return flags ? [`\`<cpu mode='${mode}'/>\`: the processor of the host has no movbe; ${needing} needs it.`] : null;
}

function secureBoot({ domain }: Facts): string[] {
  const os = child(domain, 'os');
  const keys = children(child(os, 'firmware'), 'feature').find(node => text(node, '@name') === 'enrolled-keys');
  if (text(keys, '@enabled') === 'yes') return ["`<feature enabled='yes' name='enrolled-keys'/>`."];
  const files = [content(os, 'loader'), content(os, 'nvram'), text(child(os, 'nvram'), '@template')];
  return files.flatMap(file => (file && withKeys.test(file) ? [`\`<os>\` has ${file}.`] : [])).slice(0, 1);
}

function action(domain: Facts['domain'], name: string, bad: RegExp): string[] {
  const value = content(domain, name);
  return value !== null && bad.test(value) ? [`\`<${name}>${value}</${name}>\`.`] : [];
}

function openGraphics({ devices, secure, host }: Facts): Seen[] | null {
  const open = children(devices, 'graphics').flatMap(node => {
    const addresses = [node, ...children(node, 'listen')].flatMap(each => [
      text(each, '@listen'),
      text(each, '@address'),
    ]);
    const all = addresses.find(address => address === '0.0.0.0' || address === '::');
    return all && text(node, '@passwd') === null
      ? [`\`<graphics type='${text(node, '@type')}' listen='${all}'>\`.`]
      : [];
  });
  if (open.length === 0 || host?.graphicsGuarded) return [];
  return secure ? open : null;
}
