import type { ConfigVerdict, LoaderAdapter, Outputs, Problem, Step, StepInput } from '../../adapter.ts';
import { bootEntry, builtFor } from './boot.ts';
import { OutcomeReader } from './outcome.ts';
import { plan } from './plan.ts';
import { areEnough, releaseFiles } from './release.ts';
import { explainDifference, satamapOf } from './satamap.ts';
import { type ConfigEdits, editUserConfig, identityWords, readIdentity } from './user-config.ts';

const userConfig = 'user_config.json';

/** TinyCore RedPill by pocopico, releases 0.9.2.9 and 0.10. */
export const tcrp: LoaderAdapter = {
  name: 'tcrp',
  // TinyCore's user, with the password that every copy has.
  login: { user: 'tc', password: 'P@ssw0rd' },
  plan,
  applies,
  input,
  // `filetool.sh -b` packs it.
  home: {
    ...{ partition: 3, archive: 'MYDATA.TGZ', folder: 'home/tc/', config: userConfig },
    files: [...releaseFiles, userConfig],
    isEnough: found => areEnough(found) && found.has(userConfig),
  },
  judgeConfig,
  objection,
  secrets: identityWords,
  judge: step => new OutcomeReader(step),
  bootEntry,
  builtFor,
};

function applies({ onlyIf }: Step, outputs: Outputs): boolean {
  switch (onlyIf?.code) {
    case 'upgraded_from_0.9':
      return /\b0\.9\./.test(outputs.get('version') ?? '');
    case 'no_identity': {
      const saved = readIdentity(outputs.get('save_config') ?? '');
      return !('problem' in saved) && isMissing(saved.identity);
    }
    case undefined:
      return true;
  }
}

/** The configuration as it is now, with our settings, and with the serial number and MACs from before where kept. */
function input(step: Step, outputs: Outputs): StepInput {
  if (step.input === null) return { problem: { code: 'no_input', message: `"${step.title}" takes no input.` } };
  const { edits, keepIdentity } = step.input;
  const now = outputs.get('read_config') ?? '';
  const saved = keepIdentity ? readIdentity(outputs.get('save_config') ?? '') : { identity: {} };
  if ('problem' in saved) return saved;
  const edited = editUserConfig(now, { ...edits, ...saved.identity });
  if ('problem' in edited) return edited;
  const made = readIdentity(edited.text);
  if ('problem' in made) return made;
  if (isMissing(made.identity)) {
    const message = 'user_config.json has no serial number and MAC, though they were to be made.';
    return { problem: { code: 'no_identity', message } };
  }
  const satamaps = satamapOf(now);
  const { SataPortMap = '', DiskIdxMap = '' } = edits;
  return {
    text: edited.text,
    // A device tree needs none, and satamap is not asked.
    notes: satamaps && SataPortMap !== '' ? explainDifference({ SataPortMap, DiskIdxMap }, satamaps) : [],
  };
}

/** Of a VM with several NICs the loader makes the first MAC only. */
function isMissing({ sn, mac1 }: ConfigEdits): boolean {
  return sn === undefined || mac1 === undefined;
}

function objection({ name }: Step, output: string): Problem | null {
  const verdict = name === 'save_config' ? judgeConfig(output) : null;
  return verdict && 'problem' in verdict ? verdict.problem : null;
}

function judgeConfig(text: string): ConfigVerdict {
  const read = readIdentity(text);
  if (!('problem' in read)) return { complete: !isMissing(read.identity) };
  const advice =
    'Correct the file in the image builder and save it with `./rploader.sh backup`; or set `keep_identity: false` and `upgrade: full` for a new file, serial number and MAC.';
  return { problem: { code: 'bad_config', message: read.problem.message, advice } };
}
