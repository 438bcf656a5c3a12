import { type Boot, stoppedAfter } from '../boot.ts';
import type { Check, Verdict } from '../check.ts';
import type { Code, Outcome } from '../codes.ts';
import { commandWords, isJob, type LoaderWord, type PowerWord } from '../commands.ts';
import { stopBy } from '../job/ending.ts';
import type { LoaderPhase } from '../loader.ts';
import type { Event, LastStop, VmSnapshot } from '../snapshot.ts';

/** What people should know: `B/V/event`, Home Assistant's event entity, the log. Pure. */

type JobWord = PowerWord | LoaderWord;

const requestTypes = Object.fromEntries(
  commandWords.filter(isJob).map(word => [`${word}_requested`, `\`${word}\` was accepted`]),
) as Record<`${JobWord}_requested`, string>;

export const notifications = {
  problem: 'it is not as it is meant to be',
  solved: 'it is as it is meant to be again',
  started: 'it was started',
  shut_down: 'the guest powered off',
  power_cut: 'its power was cut',
  crashed: 'the guest or QEMU crashed',
  saved: 'somebody at libvirt saved it to disk',
  migrated: 'it has gone to another host',
  rebooted: 'the guest restarted itself, or was reset',
  paused: 'it was paused',
  paused_on_io_error: 'it is paused: a disk of the host failed or is full',
  resumed: 'it runs again after a pause',
  suspended: 'the guest suspended itself to memory',
  woken_up: 'the guest was woken up',
  defined: 'libvirt has the domain again',
  undefined: 'libvirt has forgotten the domain',
  verdict_changed: 'the checks have come to another verdict on DSM',
  came_up: 'the guest is up: it answers',
  boot_stuck: 'its boot takes too long, or has failed',
  interrupted: 'the bridge had been ended in the middle of a command',
  ...requestTypes,
  loader_phase: 'a rebuild or rollback of the loader has come to its next phase',
  shutdown_timed_out: 'the guest did not power off in time; it is left running',
  command_succeeded: 'a command has succeeded',
  command_failed: 'a command has failed',
  command_rejected: 'a command was rejected',
  command_cancelled: 'a command was cancelled',
} as const;
export type NotificationType = keyof typeof notifications;
export const notificationTypes = Object.keys(notifications) as readonly NotificationType[];

/** The JSON of `B/V/event`. Only what applies is there. */
export interface Notification {
  event_type: NotificationType;
  at: string;
  reason?: string;
  /** Who did it, as in `last_stop`; for a command, its `by`. */
  by?: string | null;
  /** From the request to off. */
  seconds?: number | null;
  /** It powered off after its shutdown had been given up. */
  late?: true;
  command?: string | null;
  id?: string | null;
  code?: Code;
  message?: string;
  verdict?: Verdict;
  before?: Verdict;
  cause?: string;
  phase?: LoaderPhase;
}

/** The notifications that follow from an event, after it has been reduced. */
export function notificationsOf(before: VmSnapshot, after: VmSnapshot, event: Event): Notification[] {
  if (event.type === 'rebooted') return [{ event_type: 'rebooted', at: event.at }];
  if (event.type === 'loader') return phaseChanged(before, event);
  if (event.type === 'checked') return verdictChanged(before.check, event.check, event.at);
  if (event.type === 'moved') return moved(event);
  if (event.type === 'boot') return bootStuck(before, event);
  if (event.type !== 'domain') return [];
  const { at } = event;
  const found: Notification[] = [];
  const tell = (event_type: NotificationType, more: Partial<Notification> = {}) =>
    found.push({ event_type, at, ...more });
  const [was, is] = [before.domain, after.domain];
  if (before.asked?.open && before.remembered) {
    const { word: command, id, by } = before.asked;
    tell('interrupted', { command, id, by, message: after.lastError?.message ?? '' });
  }
  if (after.lastStop && after.lastStop !== before.lastStop) tell(...stopped(after.lastStop, before));
  // The state before the first read is unknown, so nothing has changed.
  if (!was) {
    if (is && before.seen) tell('defined');
    return found;
  }
  if (!is) {
    tell('undefined');
    return found;
  }
  if (is.uuid !== was.uuid || !is.active) return found;
  const { state, reason } = is;
  if (!was.active) tell('started', { reason });
  if (state === was.state && reason === was.reason) return found;
  if (state === 'paused') tell(reason === 'io_error' ? 'paused_on_io_error' : 'paused', { reason });
  else if (state === 'pmsuspended') tell('suspended');
  else if (state === 'crashed') tell('crashed', { reason });
  else if (was.state === 'paused') tell('resumed', { reason });
  else if (was.state === 'pmsuspended') tell('woken_up');
  return found;
}

function moved({ vm, path: reason, at }: Extract<Event, { type: 'moved' }>): Notification[] {
  // One that was off there is started here, or only defined here too.
  return vm.domain?.active ? [{ event_type: 'migrated', at, reason }] : [];
}

/** `interrupted`: the bridge found that phase at its start. */
function phaseChanged(before: VmSnapshot, { loader, at }: Extract<Event, { type: 'loader' }>): Notification[] {
  if (!before.loader || before.loader.phase === loader.phase) return [];
  const { phase, code, error } = loader;
  return [{ event_type: 'loader_phase', at, phase, ...(code && { cause: code }), ...(error && { message: error }) }];
}

/** The first report after the bridge's start is no change. */
function verdictChanged(before: Check | null, { verdict, cause, reason }: Check, at: string): Notification[] {
  if (!before || before.verdict === verdict) return [];
  const more = { at, verdict, cause, message: reason };
  const cameUp = verdict === 'up' && before.verdict !== 'degraded';
  return [
    { event_type: 'verdict_changed', before: before.verdict, ...more },
    ...(cameUp ? [{ event_type: 'came_up', ...more } as const] : []),
  ];
}

function stopped({ reason, by, seconds }: LastStop, { asked }: VmSnapshot): [NotificationType, Partial<Notification>] {
  const { type } = stopBy(reason);
  // The last sender need not be the cause.
  const cause = asked?.by === by ? asked : null;
  const late = type === 'shut_down' && cause?.open === false;
  return [type, { reason, by, seconds, ...(late && { late }), ...(cause?.id && { id: cause.id }) }];
}

/** Once a boot. One that an earlier bridge has stored comes before the domain has been read. */
function bootStuck(
  { domain, quiet, boot: known }: VmSnapshot,
  { boot, at }: Extract<Event, { type: 'boot' }>,
): Notification[] {
  const isStuck = ({ result }: Boot) => result === 'slow' || result === 'problem';
  if (!domain || quiet || !isStuck(boot) || (known && known.startedAt === boot.startedAt && isStuck(known))) return [];
  const message = stoppedAfter(boot);
  return [{ event_type: 'boot_stuck', at, ...(message && { message }) }];
}

/** A problem has begun, or is over. */
export function judged({ problem, verdict, cause, reason, nextStep }: Check, at: string): Notification {
  const message = [reason, nextStep].filter(Boolean).join(' ');
  return { event_type: problem ? 'problem' : 'solved', at, verdict, cause, message };
}

export interface Commanded {
  command: string | null;
  id: string | null;
  by: string | null;
  at: string;
}

export function requested(word: JobWord, commanded: Commanded): Notification {
  return { event_type: `${word}_requested`, ...commanded };
}

export function ended(commanded: Commanded, { status, code, message }: Outcome): Notification {
  // A reboot may also time out after the VM is off, because it does not start.
  const gaveUp = code === 'timed_out' && commanded.command === 'shutdown';
  return { event_type: gaveUp ? 'shutdown_timed_out' : `command_${status}`, ...commanded, code, message };
}
