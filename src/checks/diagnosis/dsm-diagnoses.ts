import type { Verdict } from '../../model/check.ts';

/**
 * THE table of diagnoses of DSM: the verdict, the sentence for people, and the next step. docs/checks.md is made from it.
 * Braces contain what the check found (`Facts` in messages.ts); a probe's name stands for its whole sentence. Another
 * guest shares those that speak of a `{guest}`, or of the machine alone.
 */
export interface Diagnosis {
  verdict: Verdict;
  /** Whether it is a problem for a VM that is meant to run. */
  problem: boolean;
  reason: string;
  next: string | null;
}

export const look = 'Look at its screen (virt-viewer, or the command `screenshot`)';
const wait = 'Wait; nothing need be done.';

export const dsmDiagnoses = {
  up: fine('up', '{guest} answers at {address}.', null),
  up_asleep: fine('up', 'DSM answers at {address}; its disks are asleep.', null),
  up_behind: fine('up', 'DSM says that it is ready; its page cannot be seen from here. {web}', null),

  port_closed: problem(
    'degraded',
    '{guest} answers at {address}, but not on port {closed}.',
    'Look in {guest} whether that service is on and its firewall lets it through; or take the port out of `checks.ports`.',
  ),
  cut_off: problem(
    'degraded',
    '{guest} answers this host, but others may not reach it. {bridge}',
    "Look at the host's cable, at its switch, and at the ports of the bridge (`bridge link`).",
  ),
  disputed: problem(
    'degraded',
    "A DSM answers at {address}, but not with this VM's network card. {neighbour}",
    'Check whether that is another NAS; if the loader gives DSM a MAC of its own, give the VM the same one at libvirt.',
  ),
  api_silent: problem(
    'degraded',
    "DSM's page answers at {address}, but its API does not.",
    "Log in and look at DSM's own log; if nobody can log in, reboot it.",
  ),

  booting: fine(
    'booting',
    'It was powered on {age} ago, and {guest} does not answer yet.',
    'Wait; after {grace} it would count as unreachable.',
  ),
  booting_dsm: fine('booting', 'DSM boots, and says so itself.', wait),
  booting_late: problem(
    'booting',
    'DSM says that it still boots, {age} after power on.',
    `${look}: it may wait for a file system check, or for a disk.`,
  ),

  starting: fine('starting', '{guest} answers at {address}, and still starts its services.', wait),
  starting_late: problem(
    'starting',
    'DSM answers at {address}, but {age} after power on its services have still not all started.',
    "Log in and look at DSM's own log; if nothing moves, reboot it.",
  ),

  updating: fine('updating', 'DSM is being installed or updated.', 'Wait, and do not switch it off.'),
  updating_late: problem(
    'updating',
    'DSM says that it is being installed or updated, {age} after power on.',
    `${look} before anything else: an update that is cut off can cost the system.`,
  ),

  loader_passing: fine('loader', 'The loader answers, and DSM does not yet. {web}', wait),
  loader: problem(
    'loader',
    'The loader answers instead of DSM. {web}',
    `${look}: it may wait for somebody to build, or to choose what to boot.`,
  ),

  installer: problem(
    'installer',
    'No DSM is installed: the Web Assistant waits.',
    'Open http://{address}:{port} and install DSM.',
  ),
  no_disk: problem(
    'installer',
    'DSM sees no disk, and the Web Assistant waits for one.',
    "Check whether the VM has a data disk, whether the loader's SataPortMap and DiskIdxMap fit its controllers (a dry run of `dsm2mqtt rebuild` works them out), and whether the loader has the driver for them.",
  ),
  small_disk: problem(
    'installer',
    'DSM has no disk that is large enough to be installed on, and the Web Assistant waits for one.',
    'Give the VM a larger data disk.',
  ),
  migratable: problem(
    'installer',
    'The Web Assistant waits: the disks come from another machine, or from another build of DSM.',
    'Open http://{address}:{port} and migrate; first be sure that it is the right set of disks.',
  ),
  recoverable: problem(
    'recoverable',
    "DSM's system is damaged, and the Web Assistant offers to recover it.",
    'Open http://{address}:{port} and let it recover.',
  ),

  link_down: problem(
    'unreachable',
    '{guest} cannot be reached: its network cable is unplugged at libvirt. {bridge}',
    'Plug it in: `virsh domif-setlink {domain} {mac} up`.',
  ),
  no_tap: problem(
    'unreachable',
    '{guest} cannot be reached: its network device is gone from the host. {bridge}',
    'Shut the VM down and start it again: libvirt makes the device at the start.',
  ),
  tap_down: problem(
    'unreachable',
    '{guest} cannot be reached: its network device is switched off on the host. {bridge}',
    'Switch it on: `ip link set {tap} up`.',
  ),
  misplugged: problem(
    'unreachable',
    '{guest} cannot be reached: it is plugged into the wrong bridge. {bridge}',
    'Plug it in where libvirt says that it is: `ip link set {tap} master {source}`.',
  ),
  bridge_down: problem(
    'unreachable',
    '{guest} cannot be reached: its bridge is switched off on the host. {bridge}',
    'Switch it on: `ip link set {source} up`.',
  ),
  no_uplink: problem(
    'unreachable',
    '{guest} cannot be reached: its bridge has no cable. {bridge}',
    "Look at the host's cable and at its switch.",
  ),

  taken: problem(
    'unreachable',
    '{guest} cannot be reached: another machine has its address. {neighbour}',
    'Give one of the two another address.',
  ),
  silent: problem(
    'unreachable',
    'The VM runs, but nothing on the network answers for it: {guest} hangs, or has no address.',
    `${look}; if it hangs, reset it.`,
  ),
  filtered: problem(
    'unreachable',
    'A machine answers at {address}, but none of its ports {ports} does: a firewall keeps them, or DSM hangs.',
    `${look}; look at DSM's firewall, and whether the host's lets bridged traffic through.`,
  ),
  no_answer: problem(
    'unreachable',
    'Nothing answers at {address}.',
    `${look}; look whether that is still its address, and whether there is a way to it from here.`,
  ),
  ports_closed: problem(
    'unreachable',
    'A machine answers at {address}, but its ports {ports} are closed: DSM does not run on it, or has other ports.',
    `${look}; if DSM has other ports, set \`checks.ports\`.`,
  ),
  no_web: problem(
    'unreachable',
    'A machine answers at {address}, but its web ports are closed.',
    `${look}; if DSM has other ports, set \`checks.ports\`.`,
  ),
  web_dead: problem(
    'unreachable',
    'DSM is on the network and says that it is ready, but its page does not answer.',
    'Log in by SSH and restart its web server, or reboot it.',
  ),
  hangs: problem(
    'unreachable',
    'The ports of {address} accept, but no page comes: DSM hangs, or its disks do.',
    `${look}, and at the host's disks.`,
  ),
  other_page: problem(
    'unreachable',
    'Something else than DSM answers at {address}. {web}',
    'Check whether that is its address, and whether `checks.ports` are its ports.',
  ),

  behind: fine(
    'unknown',
    'The ports of {address} answer, but DSM itself could not be asked. {web}',
    'If that is its address: see DSM, Control Panel → Login Portal → DSM (customized domain, redirect of HTTP to HTTPS), or set `checks.ports` to a port at which DSM itself answers from here.',
  ),

  not_checked: fine('unknown', 'It has not been checked often enough to tell.', null),
  stopping: fine('unknown', 'It shuts down.', wait),
  absent: problem(
    'unknown',
    'libvirt has no domain {domain}. {instead}',
    'Define it, or correct `vms[].domain`; or look at `libvirt.uri`: qemu:///session has other domains than qemu:///system.',
  ),
  unseen: fine(
    'unknown',
    'libvirt is away, and {guest} is not heard.',
    'Look at libvirtd on the host, and at the host.',
  ),
  address_unknown: fine(
    'unknown',
    'The VM runs, but its address is not known from here, so that it cannot be asked.',
    "Set `vms[].address`, or see why its name is not known here; in a container, use the host's network.",
  ),
  out_of_sight: fine(
    'unknown',
    'The VM runs on a macvtap device, over which its own host cannot talk to it.',
    'Plug the VM into a bridge; or ask from another machine: `dsm2mqtt check` needs no libvirt for that.',
  ),

  off: problem('off', 'It is off.', 'Start it.'),
  paused: problem('paused', 'It is paused.', 'Resume it.'),
  asleep: problem('paused', 'It has suspended itself to memory.', 'Resume it.'),
  io_error: problem(
    'paused',
    'It is paused, because a disk of the host failed or is full.',
    "Look at the host's disks (`df`, `dmesg`); then resume it.",
  ),
  died: problem(
    'crashed',
    'It is off, because its QEMU crashed or was killed.',
    "Look at QEMU's log on the host (`/var/log/libvirt/qemu/{domain}.log`) and at its memory (`dmesg`); then start it.",
  ),
  crashed: problem('crashed', 'The guest has crashed.', `${look}; then cut its power and start it.`),
};

export function problem(verdict: Verdict, reason: string, next: string): Diagnosis {
  return { verdict, problem: true, reason, next };
}

export function fine(verdict: Verdict, reason: string, next: string | null): Diagnosis {
  return { verdict, problem: false, reason, next };
}
