/**
 * What a stand-in for rploader.sh and the real one have in common, whatever the words between: exit code, questions in
 * their order, what the output proves, and what the product makes of it. Run by the product's own steps.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoaderConfig } from '../../src/loader/plan/finding.ts';
import { runCommand } from '../../src/ssh/command.ts';
import { quote } from '../../src/ssh/quote.ts';
import type { SshSession } from '../../src/ssh/session.ts';
import type { LoaderFault } from '../lab/loader.ts';
import { judgeStep, proven, recording, recordings, releases, stepOf } from './recordings.ts';

/** A home with the stand-in of this release. */
export interface StandIn extends AsyncDisposable {
  session: SshSession;
  /** Folder of the image's cache. */
  auxfiles: string;
  fault(names: readonly LoaderFault[]): Promise<void> | void;
}

interface Case {
  /** Of the recording. */
  name: string;
  faults?: readonly LoaderFault[];
  config?: Partial<LoaderConfig>;
  /** Shell, run before. */
  before?: string;
}

/** A rebuild, in its order. */
const rebuild: readonly Case[] = [
  ...['version', 'save_config', 'serialgen', 'identifyusb', 'satamap', 'read_config', 'edit_config', 'extension_1'],
  ...['extension_2', 'check_extractor', 'build', 'backup', 'extension_again', 'check_extractor_again', 'build_again'],
  ...['keep_old_files', 'upgrade', 'check_upgrade'],
].map(name => ({ name }));

/** A page comes instead of the upgrade, and is not kept. */
const page: readonly Case[] = [
  { name: 'upgrade_page-keep_old_files' },
  { name: 'upgrade_page-upgrade', faults: ['upgrade-page'] },
  { name: 'upgrade_page-check_upgrade' },
  { name: 'upgrade_page-version' },
  { name: 'upgrade_page-save_config' },
];

const broken = "printf '{\\n' >user_config.json";
const forget = 'rm -rf redpill-load';
const noExtractor = `${forget}; sudo rm -rf "$AUXFILES/patch-extractor"`;

/** Each with user_config.json as it was. */
const faults: readonly Case[] = [
  { name: 'newer', faults: ['self-update'] },
  { name: 'no_dns-extension_1', faults: ['no-internet'] },
  { name: 'no_dns', faults: ['no-internet'] },
  { name: 'unknown_platform', config: { platform: 'apollolake-7.1.1-42962' } },
  { name: 'unknown_model', config: { model: 'DS1234+' } },
  { name: 'backup_fails', faults: ['backup-failure'] },
  { name: 'no_usb', faults: ['no-usb'] },
  { name: 'serialgen_bad_config', before: broken },
  { name: 'identifyusb_bad_config', before: broken },
  { name: 'satamap_bad_config', before: broken },
  { name: 'bad_config', before: broken },
  { name: 'ext-no_index', faults: ['ext-unreachable'], before: forget },
  { name: 'no_recipe', faults: ['no-recipe'] },
  { name: 'no_config', faults: ['no-config'] },
  { name: 'no_space', faults: ['no-space'] },
  { name: 'mount_fails', faults: ['mount-failure'] },
  { name: 'no_friend', faults: ['no-friend'] },
  { name: 'half_extension', faults: ['half-extension'], before: forget },
  { name: 'extractor_page', faults: ['extractor-page'], before: noExtractor },
];
const reset = faults.map(each => ({
  ...each,
  before: ['cp kept.json user_config.json', each.before ?? ':'].join('; '),
}));

const cases: readonly Case[] = [
  ...rebuild.map(each => (each.name === 'serialgen' ? { ...each, before: 'cp user_config.json kept.json' } : each)),
  ...page,
  ...reset,
  { name: 'extractor_page-check_extractor' },
];

export function rploaderContract(
  name: string,
  start: (release: string) => Promise<StandIn>,
  of: readonly string[] = releases,
): void {
  describe.each(of)(`${name}, %s: as the real one`, release => {
    let standIn: StandIn;
    const outputs = new Map<string, string>();
    beforeAll(async () => {
      standIn = await start(release);
    });
    afterAll(() => standIn?.[Symbol.asyncDispose]());

    const recorded = new Set(recordings(release).map(each => each.name));
    test.each(cases.filter(each => recorded.has(each.name)))(
      '$name',
      async ({ name: which, faults = [], config, before }) => {
        const real = recording(release, which);
        const step = stepOf(real.step, config);
        await standIn.fault(faults);
        if (before !== undefined) await run(standIn.session, `AUXFILES=${quote(standIn.auxfiles)}; ${before}`);
        const input = step.input?.text(outputs) ?? null;
        if (input && 'problem' in input) throw new Error(input.problem.message);
        let output = '';
        const end = await runCommand(standIn.session, step.command, {
          ...{ prompts: step.prompts, silence: 60_000, deadline: 120_000, signal: AbortSignal.timeout(120_000) },
          onOutput: text => {
            output += text;
          },
          ...(input && { stdin: Buffer.from(input.text) }),
        });
        outputs.set(step.name, output);
        const seen = (exit: number | null, answered: readonly string[], said: string) => {
          const judged = judgeStep(step, said, exit);
          return { exit, answered, proven: proven(step, said), judged: judged.ok ? 'ok' : judged.code };
        };
        expect(seen(end.status, end.answered, output), output).toEqual(seen(real.exit, real.answered, real.output));
      },
    );
  });
}

async function run(session: SshSession, command: string): Promise<void> {
  const limits = { silence: 60_000, deadline: 60_000, signal: AbortSignal.timeout(60_000) };
  const { status, tail } = await runCommand(session, command, limits);
  if (status !== 0) throw new Error(`${command}: ${tail}`);
}
