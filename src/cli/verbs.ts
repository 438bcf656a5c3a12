import { commandWords } from '../model/commands.ts';
import type { SendOptions } from './send.ts';
import type { ShutdownOptions } from './shutdown.ts';
import { exitCode, type Output } from './terminal.ts';

/** THE table of the command line: the program and its page are made from it. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** In order, `<needed>` or `[not]`, with a description each. */
  readonly args?: Readonly<Record<string, string>>;
  readonly options?: readonly Option[];
  /**
   * `written`: the configuration that `--config` names; `loaded`: with every domain of the hosts that it takes all of;
   * `host`: that of the VM's host; `named`: only its name.
   */
  readonly config?: 'written' | 'loaded' | 'host' | 'named';
  /** Ctrl-C and SIGTERM abort its `signal` instead of ending the process: always, or with that option. */
  readonly interruptible?: true | 'direct';
  /** Runs until it gets a signal. */
  readonly serves?: boolean;
  /** It does more than print: it goes on, to its own exit code, when its output cannot be written. */
  readonly acts?: true | ((given: { define?: boolean; what?: string }) => boolean);
  /**
   * Takes its arguments and options by name, the configuration and the streams. Resolves to the exit code. Loads what
   * it needs only then.
   */
  readonly run: (call: never) => Promise<number>;
}

type Option = readonly [flags: string, description: string, fallback?: string | boolean];

const json: Option = ['--json', 'print JSON', false];
const yes: Option = ['-y, --yes', 'without asking', false];
const vm = 'its key (or name) in the configuration';
const marks: readonly Option[] = [
  ['--id <id>', 'a mark of this command; a second one with it is refused (default: random)'],
  ['--by <who>', 'who asks, as last_stop.by will say', 'cli'],
];
const ofCommands: readonly Option[] = [
  ['-t, --timeout <time>', 'how long it may take: 90s, 4m (default: as configured)'],
  ['--on-timeout <policy>', 'report or force_off'],
  ['--method <method>', 'acpi, agent or auto; of reboot: shutdown or guest'],
  ...marks,
  ['--json', 'print every answer as a line of JSON', false],
];
const ofLoaders: readonly Option[] = [
  yes,
  ['-t, --timeout <time>', 'how long the guest may take to power off: 90s, 4m (default: as configured)'],
  ['--on-timeout <policy>', 'what becomes of one that does not: report or force_off'],
  ...marks,
  ['--json', 'print every document and answer as a line of JSON', false],
];

export const verbs: readonly Verb[] = [
  {
    name: 'run',
    summary: 'run the bridge until SIGTERM or Ctrl-C',
    ...{ config: 'written', serves: true, acts: true },
    run: async call => (await import('./run.ts')).run(call),
  },
  {
    name: 'check-config',
    summary: 'print what the bridge understands, or every mistake with its line',
    ...{ config: 'named', options: [json, ['--rights', 'and ask libvirt whether it allows what that needs', false]] },
    run: async call => (await import('./check-config.ts')).checkConfig(call),
  },
  {
    name: 'polkit',
    summary: 'print rules with which libvirt allows one user exactly what the configuration needs',
    ...{ config: 'written', interruptible: true },
    options: [
      ['--host <name>', 'for which of several hosts'],
      ['--user <user>', 'whom (default: who runs this, or dsm2mqtt if that is root)'],
      ['--group <group...>', 'groups that libvirt obeys in all, as without the rules'],
      ['--define', 'also `create --define` and `definition restore`, which only root should do', false],
    ],
    run: async call => (await import('./rights/polkit.ts')).polkit(call),
  },
  {
    name: 'status',
    summary: 'print what libvirt reports of the VMs; needs no broker',
    ...{ config: 'loaded', options: [json] },
    run: async call => (await import('./status.ts')).status(call),
  },
  {
    name: 'check',
    summary: 'print whether DSM answers, and if not, why; needs no broker',
    args: { '[vm]': `${vm}; all, if not given` },
    ...{ config: 'loaded', interruptible: true },
    options: [json, ['-w, --watch', 'again every few seconds, until Ctrl-C', false]],
    run: async call => (await import('./check.ts')).check(call),
  },
  {
    name: 'doctor',
    summary: 'print what of a VM, its host and its loader will give DSM trouble, and how to mend it; changes nothing',
    args: { '[vm]': `${vm}; all, if not given` },
    ...{ config: 'loaded', interruptible: true, options: [json] },
    run: async call => (await import('./doctor/doctor.ts')).doctor(call),
  },
  {
    name: 'create',
    summary:
      "print the domain that a VM's `create` in the configuration makes, and what comes next; --define defines it",
    args: { '<vm>': vm },
    ...{ config: 'host', interruptible: true, acts: ({ define }) => define === true },
    options: [json, ['--define', 'make its volumes and define it, and start nothing', false]],
    run: async call => (await import('./definition/create.ts')).create(call),
  },
  {
    name: 'history',
    summary:
      "print a VM's starts, stops, verdicts and rebuilds: when, by whom, how, and how long they took; needs no bridge",
    args: { '<vm>': vm },
    ...{ config: 'loaded', options: [['--json', 'print each line of the record as JSON', false]] },
    run: async call => (await import('./record/history.ts')).history(call),
  },
  {
    name: 'boot',
    summary: 'print what a VM said while it last booted; needs no bridge, except to follow',
    args: { '<vm>': vm },
    ...{ config: 'loaded', interruptible: true },
    options: [
      ['--last', 'the last boot that was recorded; the default', false],
      ['--diff', 'where it differs from the last good one', false],
      ['--follow', 'the boot that goes on, or the next one, line by line to its end', false],
      json,
    ],
    run: async call => (await import('./record/boot.ts')).boot(call),
  },
  {
    name: 'definition',
    summary: "list, show, compare or bring back the copies that the bridge keeps of a VM's definition",
    args: {
      ...{ '<vm>': vm, '<what>': 'list, show, diff or restore' },
      ...{
        '[copy]': "a copy's number in the list",
        '[other]': 'of diff: the copy to compare it with; now, if not given',
      },
    },
    ...{ config: 'host', interruptible: true, acts: ({ what }) => what === 'restore' },
    options: [json, yes, ['--nvram', "of restore: the copy's NVRAM too", false]],
    run: async call => (await import('./definition/definition.ts')).definition(call),
  },
  {
    name: 'health',
    summary: 'say whether the bridge on this machine can do its work',
    ...{ config: 'written', options: [json] },
    run: async call => (await import('./health.ts')).health(call),
  },
  {
    name: 'clean',
    summary: 'remove what the broker keeps of VMs and hosts that the bridge no longer serves',
    ...{ config: 'loaded', options: [yes], interruptible: true, acts: true },
    run: async call => (await import('./clean.ts')).clean(call),
  },
  {
    name: 'dump',
    summary: 'write what helps to understand a problem, as JSON without secrets',
    config: 'written',
    options: [['-o, --output <file>', 'write it there; default: standard output']],
    run: async call => (await import('./dump/dump.ts')).dump(call),
  },
  {
    name: 'send',
    summary: 'send a command to the running bridge, through the broker',
    args: { '<vm>': vm, '<command>': commandWords.join(', '), '[value]': 'on or off, of autostart, arm and quiet' },
    ...{ config: 'loaded', acts: true },
    options: [
      ...ofCommands,
      ['-w, --wait', 'wait until it has ended, and not only until it is accepted', false],
      ['--confirm', 'of rebuild and rollback: although it is not armed'],
    ],
    run: async call => (await import('./send.ts')).send(call),
  },
  {
    name: 'shutdown',
    summary: 'shut a VM down like `send`; with `--direct` straight over libvirt, without broker and network',
    args: { '<vm>': vm },
    ...{ config: 'written', interruptible: 'direct', acts: true },
    options: [
      ...ofCommands,
      ['--direct', 'straight over libvirt: needs neither broker nor network', false],
      ['-w, --wait', 'wait until it is off; --direct always does', false],
    ],
    run: async ({ direct, ...call }: ShutdownOptions & Omit<SendOptions, 'command'> & { direct: boolean }) => {
      if (direct) return (await import('./shutdown.ts')).shutDownDirectly(call);
      const [{ send }, { expanded }] = await Promise.all([import('./send.ts'), import('../app/every-domain.ts')]);
      return send({ ...call, config: await expanded(call.config), command: 'shutdown' });
    },
  },
  {
    name: 'quiet',
    summary: "hold a VM's problems and alarms back for some time, or end that; through the broker, like `send`",
    args: { '<vm>': vm, '<what>': 'for, until or off', '[time]': '2h, 3d; until: 2026-11-22T18:00:00Z' },
    ...{ config: 'loaded', acts: true },
    options: [...marks, ['--json', 'print every answer as a line of JSON', false]],
    run: async call => (await import('./send.ts')).quiet(call),
  },
  {
    name: 'loader',
    summary: 'say which loader a VM has, for which DSM, and whether it can be rebuilt; needs no broker',
    args: { '<vm>': vm },
    ...{ config: 'host', options: [json], interruptible: true },
    run: async call => (await import('./loader/loader.ts')).loader(call),
  },
  {
    name: 'rebuild',
    summary: "rebuild a VM's loader: show the plan, ask, and show the progress",
    args: { '<vm>': vm },
    ...{ config: 'host', interruptible: true, acts: true },
    options: [...ofLoaders, ['--dry-run', 'only the plan; needs no broker', false]],
    run: async call => (await import('./loader/rebuild.ts')).rebuild(call),
  },
  {
    name: 'rollback',
    summary: "restore a VM's old loader, after a rebuild that failed or was interrupted",
    args: { '<vm>': vm },
    ...{ config: 'host', interruptible: true, acts: true, options: ofLoaders },
    run: async call => (await import('./loader/rebuild.ts')).rollback(call),
  },
  {
    name: 'schema',
    summary: 'print the JSON schema of the configuration',
    run: async ({ stdout }: Output) => {
      const { jsonSchema } = await import('../config/shape.ts');
      stdout.write(`${JSON.stringify(jsonSchema, null, 2)}\n`);
      return exitCode.succeeded;
    },
  },
];
