import type { Verdict } from '../../model/check.ts';

/**
 * THE table of what can be the matter: the verdict, what people read, and what to look at next. docs/checks.md is made
 * from it. In braces: what the check found (`Facts` in messages.ts), a probe's name for its whole sentence.
 */
interface Diagnosis {
  verdict: Verdict;
  /** Whether it is a problem for a DSM that is meant to run. */
  problem: boolean;
  reason: string;
  next: string | null;
}

const look = 'Look at its screen (virt-viewer, or the command `screenshot`)';
const wait = 'Wait; nothing need be done.';

export const diagnoses = {
  up: { verdict: 'up', problem: false, reason: 'DSM answers at {address}.', next: null },
  up_asleep: {
    verdict: 'up',
    problem: false,
    reason: 'DSM answers at {address}; its disks are asleep.',
    next: null,
  },
  up_behind: {
    verdict: 'up',
    problem: false,
    reason: 'DSM says that it is ready; its page cannot be seen from here. {web}',
    next: null,
  },

  port_closed: {
    verdict: 'degraded',
    problem: true,
    reason: 'DSM answers at {address}, but not on port {closed}.',
    next: 'Look in DSM whether that service is on and its firewall lets it through; or take the port out of `checks.ports`.',
  },
  cut_off: {
    verdict: 'degraded',
    problem: true,
    reason: 'DSM answers this host, but others may not reach it. {bridge}',
    next: "Look at the host's cable, at its switch, and at the ports of the bridge (`bridge link`).",
  },
  disputed: {
    verdict: 'degraded',
    problem: true,
    reason: "A DSM answers at {address}, but not with this VM's network card. {neighbour}",
    next: 'Look whether that is another NAS; if the loader gives DSM a MAC of its own, give the VM the same one at libvirt.',
  },
  api_silent: {
    verdict: 'degraded',
    problem: true,
    reason: "DSM's page answers at {address}, but its API does not.",
    next: "Log in and look at DSM's own log; if nobody can log in, reboot it.",
  },

  booting: {
    verdict: 'booting',
    problem: false,
    reason: 'It was powered on {age} ago, and DSM does not answer yet.',
    next: 'Wait; after {grace} it would count as unreachable.',
  },
  booting_dsm: { verdict: 'booting', problem: false, reason: 'DSM boots, and says so itself.', next: wait },
  booting_late: {
    verdict: 'booting',
    problem: true,
    reason: 'DSM says that it still boots, {age} after power on.',
    next: `${look}: it may wait for a file system check, or for a disk.`,
  },

  starting: {
    verdict: 'starting',
    problem: false,
    reason: 'DSM answers at {address}, and still starts its services.',
    next: wait,
  },
  starting_late: {
    verdict: 'starting',
    problem: true,
    reason: 'DSM answers at {address}, but {age} after power on its services have still not all started.',
    next: "Log in and look at DSM's own log; if nothing moves, reboot it.",
  },

  updating: {
    verdict: 'updating',
    problem: false,
    reason: 'DSM is being installed or updated.',
    next: 'Wait, and do not switch it off.',
  },
  updating_late: {
    verdict: 'updating',
    problem: true,
    reason: 'DSM says that it is being installed or updated, {age} after power on.',
    next: `${look} before anything else: an update that is cut off can cost the system.`,
  },

  loader_passing: {
    verdict: 'loader',
    problem: false,
    reason: 'The loader answers, and DSM does not yet. {web}',
    next: wait,
  },
  loader: {
    verdict: 'loader',
    problem: true,
    reason: 'The loader answers instead of DSM. {web}',
    next: `${look}: it may wait for somebody to build, or to choose what to boot.`,
  },

  installer: {
    verdict: 'installer',
    problem: true,
    reason: 'No DSM is installed: the Web Assistant waits.',
    next: 'Open http://{address}:{port} and install DSM.',
  },
  no_disk: {
    verdict: 'installer',
    problem: true,
    reason: 'DSM sees no disk, and the Web Assistant waits for one.',
    next: "Look whether the VM has a data disk, whether the loader's SataPortMap and DiskIdxMap fit its controllers (a dry run of `dsm2mqtt rebuild` works them out), and whether the loader has the driver for them.",
  },
  small_disk: {
    verdict: 'installer',
    problem: true,
    reason: 'DSM has no disk that is large enough to be installed on, and the Web Assistant waits for one.',
    next: 'Give the VM a larger data disk.',
  },
  migratable: {
    verdict: 'installer',
    problem: true,
    reason: 'The Web Assistant waits: the disks come from another machine, or from another build of DSM.',
    next: 'Open http://{address}:{port} and migrate; first be sure that it is the right set of disks.',
  },
  recoverable: {
    verdict: 'recoverable',
    problem: true,
    reason: "DSM's system is damaged, and the Web Assistant offers to recover it.",
    next: 'Open http://{address}:{port} and let it recover.',
  },

  link_down: {
    verdict: 'unreachable',
    problem: true,
    reason: 'DSM cannot be reached: its network cable is unplugged at libvirt. {bridge}',
    next: 'Plug it in: `virsh domif-setlink {domain} {mac} up`.',
  },
  no_tap: {
    verdict: 'unreachable',
    problem: true,
    reason: 'DSM cannot be reached: its network device is gone from the host. {bridge}',
    next: 'Shut the VM down and start it again: libvirt makes the device at the start.',
  },
  tap_down: {
    verdict: 'unreachable',
    problem: true,
    reason: 'DSM cannot be reached: its network device is switched off on the host. {bridge}',
    next: 'Switch it on: `ip link set {tap} up`.',
  },
  misplugged: {
    verdict: 'unreachable',
    problem: true,
    reason: 'DSM cannot be reached: it is plugged into the wrong bridge. {bridge}',
    next: 'Plug it in where libvirt says that it is: `ip link set {tap} master {source}`.',
  },
  bridge_down: {
    verdict: 'unreachable',
    problem: true,
    reason: 'DSM cannot be reached: its bridge is switched off on the host. {bridge}',
    next: 'Switch it on: `ip link set {source} up`.',
  },
  no_uplink: {
    verdict: 'unreachable',
    problem: true,
    reason: 'DSM cannot be reached: its bridge has no cable. {bridge}',
    next: "Look at the host's cable and at its switch.",
  },

  taken: {
    verdict: 'unreachable',
    problem: true,
    reason: 'DSM cannot be reached: another machine has its address. {neighbour}',
    next: 'Give one of the two another address.',
  },
  silent: {
    verdict: 'unreachable',
    problem: true,
    reason: 'The VM runs, but nothing on the network answers for it: DSM hangs, or has no address.',
    next: `${look}; if it hangs, reset it.`,
  },
  filtered: {
    verdict: 'unreachable',
    problem: true,
    reason: 'A machine answers at {address}, but none of its ports {ports} does: a firewall keeps them, or DSM hangs.',
    next: `${look}; look at DSM's firewall, and whether the host's lets bridged traffic through.`,
  },
  no_answer: {
    verdict: 'unreachable',
    problem: true,
    reason: 'Nothing answers at {address}.',
    next: `${look}; look whether that is still its address, and whether there is a way to it from here.`,
  },
  ports_closed: {
    verdict: 'unreachable',
    problem: true,
    reason:
      'A machine answers at {address}, but its ports {ports} are closed: DSM does not run on it, or has other ports.',
    next: `${look}; if DSM has other ports, set \`checks.ports\`.`,
  },
  no_web: {
    verdict: 'unreachable',
    problem: true,
    reason: 'A machine answers at {address}, but its web ports are closed.',
    next: `${look}; if DSM has other ports, set \`checks.ports\`.`,
  },
  web_dead: {
    verdict: 'unreachable',
    problem: true,
    reason: 'DSM is on the network and says that it is ready, but its page does not answer.',
    next: 'Log in by SSH and restart its web server, or reboot it.',
  },
  hangs: {
    verdict: 'unreachable',
    problem: true,
    reason: 'The ports of {address} accept, but no page comes: DSM hangs, or its disks do.',
    next: `${look}, and at the host's disks.`,
  },
  other_page: {
    verdict: 'unreachable',
    problem: true,
    reason: 'Something else than DSM answers at {address}. {web}',
    next: 'Look whether that is its address, and whether `checks.ports` are its ports.',
  },

  behind: {
    verdict: 'unknown',
    problem: false,
    reason: 'The ports of {address} answer, but DSM itself could not be asked. {web}',
    next: 'If that is its address: see DSM, Control Panel → Login Portal → DSM (customized domain, redirect of HTTP to HTTPS), or set `checks.ports` to a port at which DSM itself answers from here.',
  },

  not_checked: {
    verdict: 'unknown',
    problem: false,
    reason: 'It has not been checked often enough to tell.',
    next: null,
  },
  stopping: { verdict: 'unknown', problem: false, reason: 'It shuts down.', next: wait },
  absent: {
    verdict: 'unknown',
    problem: true,
    reason: 'libvirt has no domain {domain}. {instead}',
    next: 'Correct `vms[].domain`; or look at `libvirt.uri`: qemu:///session has other domains than qemu:///system.',
  },
  unseen: {
    verdict: 'unknown',
    problem: false,
    reason: 'libvirt is away, and DSM is not heard.',
    next: 'Look at libvirtd on the host, and at the host.',
  },
  address_unknown: {
    verdict: 'unknown',
    problem: false,
    reason: 'The VM runs, but its address is not known from here, so that it cannot be asked.',
    next: "Set `vms[].address`, or see why its name is not known here; in a container, use the host's network.",
  },
  out_of_sight: {
    verdict: 'unknown',
    problem: false,
    reason: 'The VM runs on a macvtap device, over which its own host cannot talk to it.',
    next: 'Plug the VM into a bridge; or ask from another machine: `dsm2mqtt check` needs no libvirt for that.',
  },

  off: { verdict: 'off', problem: true, reason: 'It is off.', next: 'Start it.' },
  paused: { verdict: 'paused', problem: true, reason: 'It is paused.', next: 'Resume it.' },
  asleep: { verdict: 'paused', problem: true, reason: 'It has suspended itself to memory.', next: 'Resume it.' },
  io_error: {
    verdict: 'paused',
    problem: true,
    reason: 'It is paused, because a disk of the host failed or is full.',
    next: "Look at the host's disks (`df`, `dmesg`); then resume it.",
  },
  died: {
    verdict: 'crashed',
    problem: true,
    reason: 'It is off, because its QEMU crashed or was killed.',
    next: "Look at QEMU's log on the host (`/var/log/libvirt/qemu/{domain}.log`) and at its memory (`dmesg`); then start it.",
  },
  crashed: {
    verdict: 'crashed',
    problem: true,
    reason: 'The guest has crashed.',
    next: `${look}; then cut its power and start it.`,
  },
} as const satisfies Record<string, Diagnosis>;

export type Cause = keyof typeof diagnoses;
export const causes = Object.keys(diagnoses) as readonly Cause[];
