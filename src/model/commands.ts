import type { Wish } from './check.ts';
import type { DomainState } from './domain.ts';

/**
 * THE table of commands. A row says how a command runs, who may give it, what it means for a domain as it is, what it
 * may interrupt, and what shows it in Home Assistant. docs/commands.md and docs/entities.md print it.
 */

/** A domain's state, or that libvirt has no such domain. */
export type Situation = DomainState | 'absent';

/** One libvirt call. `press` asks the guest to power off, by the chosen method. */
export type Call = 'start' | 'wake_up' | 'resume' | 'suspend' | 'reset' | 'press' | 'guest_reboot' | 'cut_power';

/** What a command means in a situation: itself (`do`), another call, nothing to do, or a refusal. */
export type Meaning = 'do' | 'start' | 'resume' | 'wake_up' | { already: string } | { no: string };

/**
 * What holds the VM's one job place. `waiting`: the pause between off and start, before any call; `call`: libvirt
 * carries it out; `rebuild`: of its loader, or a rollback.
 */
export const occupations = ['waiting', 'shutdown', 'reboot', 'call', 'rebuild'] as const;
export type Occupation = (typeof occupations)[number];

/**
 * - `busy`: the new command is refused
 * - `end`: the running job ends as cancelled
 * - `replace`: the running job ends as superseded, and the new one takes its place
 * - `drop`: the running job ends as superseded, which is all that the new command wants
 * - `amend`: it joins the running job, may shorten its deadline, and gives up a kept start
 * - `keep`: it runs after the running job
 * - `beside`: it needs no job place
 */
export type Interruption = 'busy' | 'end' | 'replace' | 'drop' | 'amend' | 'keep' | 'beside';

export const activities = ['none', 'starting', 'shutting_down', 'rebooting', 'rebuilding', 'rolling_back'] as const;
export type Activity = (typeof activities)[number];

interface CommandRow {
  /** `power`: a job of libvirt calls; `loader`: a loader's job; `beside`: runs at any time; `cancel`: ends a job. */
  runs: 'power' | 'loader' | 'beside' | 'cancel';
  /** Of `power`: the call that it begins with. */
  call?: Call;
  /** The configuration says what it does after its time-out; other commands only report. */
  timeoutPolicy?: true;
  /** Its first call when its method is `guest`. */
  byGuest?: Call;
  /** What `B/V/state` says while its job is under way. */
  activity?: Activity;
  /** Permitted when the configuration lists no commands: it is harmless. */
  byDefault?: true;
  /** It cannot be listed: it is permitted with any of these. */
  comesWith?: readonly string[];
  /** What the VM is meant to be afterwards; missing: unchanged. */
  expects?: Wish;
  /** Keys of the JSON form besides `id`, `by` and `expires_at`. `enabled` is required where it is listed, unless `until` is, too. */
  options?: readonly ('timeout' | 'on_timeout' | 'method' | 'enabled' | 'confirm' | 'for' | 'until')[];
  /** Missing: it runs in every situation, also while libvirt is away. */
  means?: Readonly<Record<Situation, Meaning>>;
  /** Why a transient domain cannot have it. */
  transient?: string;
  /** Why it is refused while DSM is installed or updated. */
  whileUpdating?: string;
  /** Missing: `busy`, or `beside` if it runs so. */
  interrupts?: Partial<Readonly<Record<Occupation, Interruption>>>;
  /** `rare`: disabled by default. `serious`: disabled too, and never shown beside the harmless ones; `setting`: the latter alone. */
  entity?: {
    as: 'button' | 'switch';
    name: string;
    icon: `mdi:${string}`;
    kind: 'usual' | 'rare' | 'diagnostic' | 'serious' | 'setting';
    /** DSM can be asked while libvirt is away. */
    withoutLibvirt?: true;
  };
}

const isOff = { no: 'it is off' };
const startIt = { no: 'it is off; start it' };
const runsAlready = { already: 'it runs already' };
const offAlready = { already: 'it is off already' };
const closing = { no: 'it is shutting down at this moment' };
const kept = { no: 'it has crashed and is kept for inspection; cut its power first' };
const absent = { absent: { no: 'libvirt has no such domain' } };
/** The guest does not hear the power button. */
const deaf = {
  paused: { no: 'it is paused and cannot hear the power button; resume it first' },
  crashed: { no: 'it has crashed and cannot hear the power button' },
  pmsuspended: { no: 'it is suspended and cannot hear the power button; resume it first' },
};
/** `idle` is libvirt's "blocked": it counts as running. `unknown`: libvirt itself decides. */
const awake = { running: 'do', idle: 'do', unknown: 'do' } as const;
const always = {
  ...awake,
  paused: 'do',
  shutting_down: 'do',
  shut_off: 'do',
  crashed: 'do',
  pmsuspended: 'do',
} as const;
const loaderJob = {
  runs: 'loader',
  expects: 'running',
  options: ['timeout', 'on_timeout', 'confirm'],
  means: { ...awake, ...deaf, shutting_down: closing, shut_off: 'do', ...absent },
} as const;

export const commands = {
  start: {
    runs: 'power',
    call: 'start',
    activity: 'starting',
    byDefault: true,
    expects: 'running',
    options: ['timeout'],
    means: {
      ...{ running: runsAlready, idle: runsAlready, paused: 'resume', shutting_down: closing, shut_off: 'do' },
      ...{ crashed: kept, pmsuspended: 'wake_up', unknown: 'do', ...absent },
    },
    interrupts: { shutdown: 'keep' },
    entity: { as: 'button', name: 'Start', icon: 'mdi:play', kind: 'usual' },
  },
  shutdown: {
    runs: 'power',
    call: 'press',
    timeoutPolicy: true,
    activity: 'shutting_down',
    byDefault: true,
    expects: 'off',
    options: ['timeout', 'on_timeout', 'method'],
    means: { ...awake, ...deaf, shutting_down: 'do', shut_off: offAlready, ...absent },
    // A UPS waits neither until the guest is up again, nor for a rebuild.
    interrupts: { waiting: 'drop', shutdown: 'amend', reboot: 'replace', rebuild: 'replace' },
    entity: { as: 'button', name: 'Shut down', icon: 'mdi:power', kind: 'usual' },
  },
  cancel: {
    runs: 'cancel',
    byDefault: true,
    interrupts: { waiting: 'end', shutdown: 'end', reboot: 'end', rebuild: 'end' },
    entity: { as: 'button', name: 'Cancel', icon: 'mdi:cancel', kind: 'rare' },
  },
  reboot: {
    runs: 'power',
    call: 'press',
    byGuest: 'guest_reboot',
    activity: 'rebooting',
    expects: 'running',
    options: ['timeout', 'on_timeout', 'method'],
    means: { ...awake, ...deaf, shutting_down: closing, shut_off: startIt, ...absent },
    whileUpdating: 'it restarts by itself when that is over',
    entity: { as: 'button', name: 'Reboot', icon: 'mdi:restart', kind: 'serious' },
  },
  suspend: {
    runs: 'power',
    call: 'suspend',
    activity: 'none',
    expects: 'paused',
    means: {
      ...{ ...awake, paused: { already: 'it is paused already' }, shutting_down: closing, shut_off: isOff },
      ...{ crashed: { no: 'it has crashed' }, pmsuspended: { no: 'it has suspended itself already' }, ...absent },
    },
    entity: { as: 'button', name: 'Pause', icon: 'mdi:pause', kind: 'serious' },
  },
  resume: {
    runs: 'power',
    call: 'resume',
    activity: 'starting',
    expects: 'running',
    means: {
      ...{ running: runsAlready, idle: runsAlready, paused: 'do', shutting_down: closing, shut_off: startIt },
      ...{ crashed: kept, pmsuspended: 'wake_up', unknown: 'do', ...absent },
    },
    entity: { as: 'button', name: 'Resume', icon: 'mdi:play-pause', kind: 'serious' },
  },
  reset: {
    runs: 'power',
    call: 'reset',
    activity: 'rebooting',
    expects: 'running',
    means: {
      ...{ ...awake, paused: { no: 'it is paused; resume it first' }, shutting_down: closing, shut_off: isOff },
      ...{ crashed: kept, pmsuspended: { no: 'it is suspended; resume it first' }, ...absent },
    },
    whileUpdating: 'a reset would break it off; if it hangs, `force_off` cuts the power all the same',
    entity: { as: 'button', name: 'Reset', icon: 'mdi:restart-alert', kind: 'serious' },
  },
  force_off: {
    runs: 'power',
    call: 'cut_power',
    activity: 'shutting_down',
    expects: 'off',
    means: { ...always, shut_off: offAlready, ...absent },
    interrupts: { waiting: 'replace', shutdown: 'replace', reboot: 'replace' },
    entity: { as: 'button', name: 'Power cut', icon: 'mdi:power-plug-off', kind: 'serious' },
  },
  screenshot: {
    runs: 'beside',
    means: { ...always, shut_off: { no: 'it is off and has no screen' }, ...absent },
    entity: { as: 'button', name: 'Take screenshot', icon: 'mdi:monitor-screenshot', kind: 'diagnostic' },
  },
  autostart: {
    runs: 'beside',
    options: ['enabled'],
    means: { ...always, ...absent },
    transient: 'a transient domain cannot start by itself',
    entity: { as: 'switch', name: 'Autostart', icon: 'mdi:power-cycle', kind: 'serious' },
  },
  rebuild: {
    ...loaderJob,
    activity: 'rebuilding',
    whileUpdating: 'rebuild the loader when that is over',
    entity: { as: 'button', name: 'Rebuild loader', icon: 'mdi:hammer-wrench', kind: 'serious' },
  },
  rollback: {
    ...loaderJob,
    activity: 'rolling_back',
    whileUpdating: 'roll back when that is over',
    entity: { as: 'button', name: 'Roll back loader', icon: 'mdi:backup-restore', kind: 'serious' },
  },
  arm: {
    runs: 'beside',
    comesWith: ['rebuild', 'rollback'],
    options: ['enabled'],
    entity: { as: 'switch', name: 'Arm rebuild', icon: 'mdi:lock-open-alert', kind: 'serious', withoutLibvirt: true },
  },
  check: {
    runs: 'beside',
    byDefault: true,
    entity: { as: 'button', name: 'Check', icon: 'mdi:stethoscope', kind: 'diagnostic', withoutLibvirt: true },
  },
  quiet: {
    runs: 'beside',
    // It always ends, it is seen, and who may shut a VM down may have it go unnoticed for a while.
    byDefault: true,
    options: ['enabled', 'for', 'until'],
    entity: { as: 'switch', name: 'Quiet time', icon: 'mdi:bell-sleep', kind: 'setting', withoutLibvirt: true },
  },
  refresh: {
    runs: 'beside',
    byDefault: true,
    means: { ...always, absent: 'do' },
    entity: { as: 'button', name: 'Refresh', icon: 'mdi:refresh', kind: 'diagnostic' },
  },
} as const satisfies Record<string, CommandRow>;

export type CommandWord = keyof typeof commands;
type Running<Runs> = { [W in CommandWord]: (typeof commands)[W]['runs'] extends Runs ? W : never }[CommandWord];
export type PowerWord = Running<'power'>;
export type LoaderWord = Running<'loader'>;
export type BesideWord = Running<'beside'>;

export function runsAs<Runs extends CommandRow['runs']>(runs: Runs, word: CommandWord): word is Running<Runs> {
  return rowOf(word).runs === runs;
}

export const commandWords = Object.keys(commands) as readonly CommandWord[];

export function isJob(word: CommandWord): word is PowerWord | LoaderWord {
  return runsAs('power', word) || runsAs('loader', word);
}

export function rowOf(word: CommandWord): CommandRow {
  return commands[word];
}

export const listedCommands = commandWords.filter(word => !rowOf(word).comesWith);

export const defaultCommands = commandWords.filter(word => rowOf(word).byDefault);

/** Whether a configuration that lists `listed` permits it. */
export function isPermitted(word: CommandWord, listed: readonly CommandWord[]): boolean {
  const { comesWith = [word] } = rowOf(word);
  return listed.some(each => comesWith.includes(each));
}

export function interruption(occupation: Occupation, word: CommandWord): Interruption {
  const { runs, interrupts } = rowOf(word);
  return runs === 'beside' ? 'beside' : (interrupts?.[occupation] ?? 'busy');
}
