import { join } from 'node:path';
import type { LoaderPhase } from '../../model/loader.ts';
import { type LoaderSettings, wantedDsm } from '../../model/loader-settings.ts';
import type { Policy } from '../../model/policy.ts';
import { spell } from '../../util/duration.ts';
import type { Prompt, Step } from '../adapter.ts';
import type { Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';

/** A rebuild that has not begun, as plain data: what was found, and what would be done, in its order. Pure. */

export interface Plan {
  /** The VM's key, and its name for people. */
  id: string;
  name: string;
  /** `tcrp` */
  loader: string;
  /** `DS918+` */
  model: string;
  /** `7.1.1-42962` */
  version: string;
  /** `ds918p-7.1.1-42962` */
  platform: string;
  /** Nothing that was found refuses it. */
  possible: boolean;
  /** The gravest first. */
  findings: readonly Finding[];
  /** Size in bytes. */
  image: { path: string; size: number } | null;
  /** Bytes. `file` has the time in place of `<time>`; `keep`: how many stay. */
  backup: { file: string; needed: number | null; free: number | null; keep: number };
  /** Titles of the boot menu: what starts next as it is now, the image builder, DSM. */
  boot_entry: { now: string | null; builder: string | null; dsm: string | null };
  /** Empty where no plan can be made. */
  phases: readonly PlanPhase[];
  on_failure: 'ask' | 'auto';
  /** What becomes of it then, a sentence each. */
  failure: readonly string[];
}

export interface PlanPhase {
  phase: LoaderPhase;
  /** `Shut DSM down` */
  title: string;
  /** A sentence each. */
  does: readonly string[];
  /** What it does to something, by name: `from`, `to`. */
  values: Readonly<Record<string, string>>;
  commands: readonly PlanCommand[];
}

export interface PlanOptions {
  key: string;
  label: string;
  running: boolean;
  settings: LoaderSettings;
  inspection: Inspection;
  /** Milliseconds. */
  shutdown: Policy['shutdown'];
}

export function planRebuild(options: PlanOptions): Plan {
  const { key, label, settings, inspection } = options;
  const { findings, image, boot, builderEntry, dsmEntry, backup } = inspection;
  const { kind, model, platform, backupDir, keepBackups, onFailure } = settings;
  const file = join(backupDir, `${key}-<time>.img`);
  return {
    ...{ id: key, name: label, loader: kind, model, version: wantedDsm(settings).version, platform },
    ...{ possible: !inspection.refused, findings, image },
    backup: { file, needed: backup.needed, free: backup.free, keep: keepBackups },
    boot_entry: { now: boot?.next ?? null, builder: builderEntry, dsm: dsmEntry },
    phases: inspection.steps.length === 0 ? [] : phases(options, file),
    on_failure: onFailure,
    failure: failure(onFailure),
  };
}

function phases(options: PlanOptions, file: string): PlanPhase[] {
  const { settings, inspection, running } = options;
  const { boot, builderEntry, dsmEntry, backup, sameDsm } = inspection;
  const { model, keepBackups, ssh } = settings;
  const { version } = wantedDsm(settings);
  const now = boot?.next ?? '(not known)';
  const builder = builderEntry ?? '(none in the menu)';
  const dsm = dsmEntry ?? '(none in the menu)';
  const host = ssh.host ?? 'the address that the VM has';
  return [
    ...(running ? [phase('shutting_down', 'Shut DSM down', shutdown(options.shutdown))] : []),
    phase(
      'backing_up',
      "Copy the loader's image",
      [
        `The copy is read again and compared before anything is changed; the newest ${keepBackups} are kept.`,
        ...(running ? [] : ['The VM is off already.']),
      ],
      { to: file, size: `${size(backup.needed)} at most, ${size(backup.free)} are free` },
    ),
    phase('arming_builder', 'Set the boot menu to the image builder', [], { from: now, to: builder }),
    phase('booting_builder', 'Start the VM', ['The image builder comes up by itself.']),
    phase('connecting', 'Log in to the image builder', [
      `By SSH as ${ssh.user} at ${host}, port ${ssh.port}; never where DSM answers.`,
    ]),
    phase('arming_dsm', 'Set the boot menu back to DSM', ['From now on any restart comes home.'], {
      from: builder,
      to: dsm,
    }),
    {
      ...phase('building', `Build the loader for ${model} ${version}`, []),
      commands: planCommands(inspection.steps, inspection.mapNotes),
    },
    phase('verifying', 'Look whether the new loader is in place', [
      `The image builder is powered off, and the boot menu read: it must be for ${model} ${version}, and start DSM.`,
    ]),
    phase('booting_dsm', 'Start DSM from the new loader', []),
    phase('checking', 'Wait for DSM', success(sameDsm, model, version)),
  ];
}

function phase(name: LoaderPhase, title: string, does: readonly string[], values: PlanPhase['values'] = {}): PlanPhase {
  return { phase: name, title, does, values, commands: [] };
}

function shutdown({ method, timeout, resendEvery, maxPresses, onTimeout }: PlanOptions['shutdown']): string[] {
  const again =
    maxPresses > 1 ? `, again every ${spell(resendEvery).replace(/^1 /, '')}, ${maxPresses} times in all` : '';
  const asks = {
    acpi: `Its power button is pressed (ACPI)${again}`,
    agent: `Its guest agent is asked${again}`,
    auto: `Its guest agent is asked, or its power button pressed${again}`,
  } as const;
  const then = {
    report: 'If it still runs then, the rebuild ends there, with the VM running and the loader untouched.',
    force_off: 'If it still runs then, its power is cut.',
  } as const;
  return [`${asks[method]}; it has ${spell(timeout)} to be off.`, then[onTimeout]];
}

function success(sameDsm: boolean, model: string, version: string): string[] {
  const up = 'The rebuild has succeeded when DSM answers again.';
  if (sameDsm) return [up, `DSM ${version} is installed: its installer would count as a failure.`];
  return [
    up,
    `It has succeeded too when DSM's installer answers: then have the archive of ${model}, ${version}, at hand, and install it there.`,
  ];
}

function failure(onFailure: Plan['on_failure']): string[] {
  const rollback = 'the VM is turned off, the image put back from its copy and compared, and DSM started from it';
  return [
    'As long as only the boot menu was touched it is set back, and DSM is started again.',
    onFailure === 'auto'
      ? `After that the old loader comes back by itself: ${rollback}.`
      : `After that it stays as it is, and \`rollback\` is offered: ${rollback}.`,
  ];
}

/** `620 MiB` */
export function size(bytes: number | null): string {
  if (bytes === null) return 'unknown';
  const mib = Math.ceil(bytes / 2 ** 20);
  return mib < 10_240 ? `${mib} MiB` : `${Math.floor(mib / 1_024)} GiB`;
}

/** The commands of a plan as people read them. Pure. */

export interface PlanCommand {
  /** `build` */
  name: string;
  title: string;
  /** One line of shell. */
  command: string;
  /** When it is run, in words; null: always. */
  condition: string | null;
  prompts: readonly PlanPrompt[];
  /** What is written into user_config.json; null: nothing. */
  settings: Readonly<Record<string, string>> | null;
  /** On what is written, a sentence each. */
  notes: readonly string[];
  timeout_seconds: number;
}

interface PlanPrompt {
  /** Its text; `…` for what is not known before. */
  asks: string;
  /** Empty: ENTER alone. */
  answer: string;
  /** How often it may be asked. */
  times: number;
}

function planCommands(steps: readonly Step[], mapNotes: readonly string[]): PlanCommand[] {
  return steps.map(step => {
    const { name, title, command, onlyIf, prompts, input, timeout } = step;
    return {
      ...{ name, title, command, condition: onlyIf?.words ?? null, prompts: prompts.map(prompt) },
      settings: input?.edits ?? null,
      notes: input ? [...mapNotes, ...identity(input.keepIdentity)] : [],
      timeout_seconds: Math.round(timeout / 1_000),
    };
  });
}

function identity(kept: boolean): string[] {
  return kept ? ['Serial number and MACs stay what they are.'] : [];
}

function prompt({ pattern, answer, times = 1 }: Prompt): PlanPrompt {
  return { asks: words(pattern), answer, times };
}

/** What a pattern of a prompt matches, without what it may match besides. */
function words({ source }: RegExp): string {
  return source
    .replaceAll(/\(\?:[^)]*\)\?|(?<!\\)[<>]\?/g, '')
    .replaceAll(/\\[wd]\{[^}]*\}/g, '…')
    .replaceAll(/\\(.)/g, '$1');
}
