import type { GuestKind } from '../../model/check.ts';
import { type Diagnosis, dsmDiagnoses, fine, look, problem } from './dsm-diagnoses.ts';

/** The diagnoses of all guests: a word means the same for each. THE table here has what DSM does not share. */

const sharedCauses = [
  ...(['up', 'port_closed', 'cut_off', 'booting', 'starting'] as const),
  ...(['link_down', 'no_tap', 'tap_down', 'misplugged', 'bridge_down', 'no_uplink', 'taken'] as const),
  ...(['silent', 'no_answer', 'not_checked', 'stopping', 'absent', 'unseen'] as const),
  ...(['address_unknown', 'out_of_sight', 'off', 'paused', 'asleep', 'io_error', 'died', 'crashed'] as const),
] satisfies (keyof typeof dsmDiagnoses)[];

const otherDiagnoses = {
  page_wrong: problem(
    'degraded',
    '{guest} answers at {address}, but a page not as expected. {http}',
    'Look at the log of its web server; or correct that entry of `checks.http`.',
  ),
  page_missing: problem(
    'degraded',
    '{guest} answers at {address}, but a page does not. {http}',
    'Look whether its web server runs; or correct that entry of `checks.http`.',
  ),
  certificate_invalid: problem(
    'degraded',
    '{guest} answers at {address}, but a certificate is not valid now. {http}',
    'Renew that certificate, and have its web server load it; look at the clocks of guest and host.',
  ),
  ssh_missing: problem(
    'degraded',
    '{guest} answers at {address}, but its SSH server does not. {ssh}',
    'Look whether its SSH server runs; or correct `checks.ssh`.',
  ),
  agent_missing: problem(
    'degraded',
    '{guest} runs, but its guest agent is not heard. {agent}',
    'Look in {guest} whether `qemu-guest-agent` runs; or take `checks.agent` away.',
  ),
  services_silent: problem(
    'unreachable',
    'The VM runs, but nothing of it that is checked answers. {services}',
    `${look}; look whether its services run, and its firewall lets them through.`,
  ),
  nothing_to_ask: fine(
    'unknown',
    'The VM runs, and nothing is configured that could be asked of its guest from here.',
    'Set `checks.ports`, `checks.http`, `checks.ssh` or `checks.agent`; or `vms[].address`.',
  ),
};

export type OtherCause = keyof typeof otherDiagnoses | (typeof sharedCauses)[number];
export type Cause = keyof typeof dsmDiagnoses | OtherCause;
export const diagnoses: Readonly<Record<Cause, Diagnosis>> = { ...dsmDiagnoses, ...otherDiagnoses };
export const causes = Object.keys(diagnoses) as readonly Cause[];
export const causesOf: Readonly<Record<GuestKind, readonly Cause[]>> = {
  dsm: Object.keys(dsmDiagnoses) as Cause[],
  other: [...sharedCauses, ...(Object.keys(otherDiagnoses) as OtherCause[])],
};
