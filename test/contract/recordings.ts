import { readdirSync, readFileSync } from 'node:fs';
import type { Outcome, Step } from '../../src/loader/kinds/adapter.ts';
import { OutcomeReader } from '../../src/loader/kinds/outcome.ts';
import { tcrp } from '../../src/loader/kinds/tcrp/index.ts';
import type { LoaderConfig } from '../../src/loader/plan/finding.ts';

/** What the real rploader.sh says, asks and ends with, release by release: test/fixtures/rploader. */

const folder = new URL('../fixtures/rploader/', import.meta.url);
const extensions = ['virtio', 'acpid'].map(
  name => `https://github.com/pocopico/redpill-load/raw/develop/redpill-${name}/rpext-index.json`,
);
const config: LoaderConfig = {
  ...{
    model: 'DS918+',
    platform: 'ds918p-7.1.1-42962',
    upgrade: 'full',
    upgradeZip: null,
    addons: [],
    keepIdentity: true,
  },
  extensions,
};

/** `0.9.2.9`, … */
export const releases = readdirSync(folder, { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(({ name }) => name.replace(/^v/, ''))
  .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

export interface Recording {
  name: string;
  step: string;
  command: string;
  exit: number;
  /** Names of the questions, in their order. */
  answered: readonly string[];
  output: string;
}

export function recordings(release: string): readonly Recording[] {
  const index: Record<string, Omit<Recording, 'name' | 'output'>> = JSON.parse(read(release, 'index.json'));
  return Object.entries(index).map(([name, entry]) => ({ name, ...entry, output: read(release, `${name}.txt`) }));
}

export function recording(release: string, name: string): Recording {
  const found = recordings(release).find(each => each.name === name);
  if (!found) throw new Error(`${release} has no recording ${name}`);
  return found;
}

/** The step of the product's plan. */
export function stepOf(name: string, more: Partial<LoaderConfig> = {}): Step {
  const facts = { map: { SataPortMap: '12', DiskIdxMap: '1000' }, deviceTree: false, usbDisks: 1, usbIds: null };
  const { platform = config.platform, ...rest } = more;
  const step = tcrp.plan({ ...config, ...rest }, facts).find(each => each.name === name);
  if (!step) throw new Error(`the plan has no step ${name}`);
  // Of an id that the product refuses before, too.
  return { ...step, command: step.command.replaceAll(config.platform, platform) };
}

/** Names of what the output proves. */
export function proven({ proofs }: Step, output: string): readonly string[] {
  return proofs.filter(({ pattern }) => pattern.test(output)).map(({ name }) => name);
}

/** What the product makes of a step's output. */
export function judgeStep(step: Step, output: string, exitCode: number | null): Outcome {
  const judge = new OutcomeReader(step, tcrp.outputs);
  judge.take(output);
  return judge.end(exitCode);
}

function read(release: string, file: string): string {
  return readFileSync(new URL(`v${release}/${file}`, folder), 'utf8');
}
