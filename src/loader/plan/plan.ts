import { join } from 'node:path';
import { type LoaderSettings, wantedDsm } from '../../model/loader-settings.ts';
import type { Policy } from '../../model/policy.ts';
import { spell } from '../../util/duration.ts';
import { phases, type RunningPhase } from '../job/phases.ts';
import type { Step } from '../kinds/adapter.ts';
import type { Inspection } from './inspect.ts';

/** A rebuild before it begins, as plain data: what was found, and what would be done, in order. Pure. */

export type Plan = ReturnType<typeof planRebuild>;
export type PlanPhase = Plan['phases'][number];
export type PlanCommand = PlanPhase['commands'][number];

export interface PlanOptions {
  key: string;
  label: string;
  running: boolean;
  settings: LoaderSettings;
  inspection: Inspection;
  shutdown: Policy['shutdown'];
}

export function planRebuild(options: PlanOptions) {
  const { key, label, settings, inspection } = options;
  const { refused, findings, image, boot, builderEntry, dsmEntry, backup, steps, adapter } = inspection;
  const { model, platform, backupDir, keepBackups, onFailure } = settings;
  const { needed, free } = backup;
  const file = join(backupDir, `${key}-<time>.img`);
  return {
    ...{ id: key, name: label, loader: adapter.kind, loader_title: adapter.title },
    ...{ model, version: wantedDsm(settings).version, platform },
    ...{ possible: !refused, findings, image, backup: { file, needed, free, keep: keepBackups } },
    boot_entry: { now: boot?.next ?? null, builder: builderEntry, dsm: dsmEntry },
    // Without steps, no plan can be made.
    phases: steps.length === 0 ? [] : planPhases(options, file),
    on_failure: onFailure,
    failure: failure(onFailure),
  };
}

/** `does`: a sentence each. `values`: what changes, by name. */
type Row = readonly [phase: RunningPhase, does: readonly string[], values?: Readonly<Record<string, string>>];

/** What each phase would do, in the order of THE table of phases. */
function planPhases({ settings, inspection, running, shutdown }: PlanOptions, file: string) {
  const { boot, builderEntry, dsmEntry, backup, sameDsm, steps, mapNotes, adapter } = inspection;
  const { keepBackups, ssh } = settings;
  const { model, version } = wantedDsm(settings);
  const builder = builderEntry ?? '(none in the menu)';
  const host = ssh.host ?? 'the address that the VM has';
  const compared = `The backup is read again and compared before anything is changed; the newest ${keepBackups} are kept.`;
  const sizes = `${size(backup.needed)} at most, ${size(backup.free)} are free`;
  const login = `By SSH as ${ssh.user ?? adapter.login.user} at ${host}, port ${ssh.port}; never where DSM answers.`;
  const verified = `The image builder is powered off, and the boot menu read: it must be for ${model} ${version}, and start DSM.`;
  const once = adapter.builder.variable === 'next_entry';
  const toBuilder = { from: boot?.next ?? '(not known)', to: builder };
  const toDsm = { from: builder, to: dsmEntry ?? '(none in the menu)' };
  const rows: readonly Row[] = [
    ...(running ? [['shutting_down', shutDown(shutdown)] as const] : []),
    ['backing_up', running ? [compared] : [compared, 'The VM is off already.'], { to: file, size: sizes }],
    ['arming_builder', once ? ['It starts once; the next start is DSM again.'] : [], toBuilder],
    ['booting_builder', ['The image builder comes up by itself.']],
    ['connecting', [login]],
    ...(once ? [] : [['arming_dsm', ['From now on any restart comes home.'], toDsm] as const]),
    ['building', []],
    ['verifying', [verified]],
    ['booting_dsm', []],
    ['checking', success(sameDsm, model, version)],
  ];
  return rows.map(([phase, does, values = {}]) => {
    const { plan = '' } = phases[phase];
    if (phase !== 'building') return { phase, title: plan, does, values, commands: [] };
    return { phase, title: `${plan} for ${model} ${version}`, does, values, commands: commands(steps, mapNotes) };
  });
}

function shutDown({ method, timeout, resendEvery, maxPresses, onTimeout }: PlanOptions['shutdown']): string[] {
  const again =
    maxPresses > 1 ? `, again every ${spell(resendEvery).replace(/^1 /, '')}, ${maxPresses} times in all` : '';
  const asks = {
    acpi: 'Its power button is pressed (ACPI)',
    agent: 'Its guest agent is asked',
    auto: 'Its guest agent is asked, or its power button pressed',
  } as const;
  const then = {
    report: 'If it still runs then, the rebuild ends there, with the VM running and the loader untouched.',
    force_off: 'If it still runs then, its power is cut.',
  } as const;
  return [`${asks[method]}${again}; it has ${spell(timeout)} to be off.`, then[onTimeout]];
}

function success(sameDsm: boolean, model: string, version: string): string[] {
  return [
    'The rebuild has succeeded when DSM answers again.',
    sameDsm
      ? `DSM ${version} is installed: its installer would count as a failure.`
      : `It has succeeded too when DSM's installer answers: then have the archive of ${model}, ${version}, at hand, and install it there.`,
  ];
}

function failure(onFailure: LoaderSettings['onFailure']): string[] {
  const rollback = 'the VM is turned off, the image restored from its backup and compared, and DSM started from it';
  return [
    'As long as only the boot menu was touched it is set back, and DSM is started again.',
    onFailure === 'auto'
      ? `After that the old loader comes back by itself: ${rollback}.`
      : `After that it stays as it is, and \`rollback\` is offered: ${rollback}.`,
  ];
}

function commands(steps: readonly Step[], mapNotes: readonly string[]) {
  return steps.map(({ name, title, command, onlyIf, prompts, input, timeout }) => {
    const kept = input?.keepIdentity ? ['Serial number and MACs stay what they are.'] : [];
    return {
      ...{ name, title, command, condition: onlyIf?.words ?? null },
      prompts: prompts.map(({ pattern, answer, times = 1 }) => ({ asks: words(pattern), answer, times })),
      settings: input?.edits ?? null,
      notes: input ? [...mapNotes, ...kept] : [],
      timeout_seconds: Math.round(timeout / 1_000),
    };
  });
}

/** The text that a prompt's pattern matches, without its optional parts. */
function words({ source }: RegExp): string {
  return source
    .replaceAll(/\(\?:[^)]*\)\?|(?<!\\)[<>]\?/g, '')
    .replaceAll(/\\[wd]\{[^}]*\}/g, '…')
    .replaceAll(/\\(.)/g, '$1');
}

/** `620 MiB` */
export function size(bytes: number | null): string {
  if (bytes === null) return 'unknown';
  const mib = Math.ceil(bytes / 2 ** 20);
  return mib < 10_240 ? `${mib} MiB` : `${Math.floor(mib / 1_024)} GiB`;
}
