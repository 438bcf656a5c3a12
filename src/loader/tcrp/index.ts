import type { LoaderAdapter, Outputs, Step, StepInput } from '../adapter.ts';
import { bootEntry, builtFor } from './boot.ts';
import { OutcomeReader } from './outcome.ts';
import { plan } from './plan.ts';
import { explainDifference, satamapOf } from './satamap.ts';
import { editUserConfig, savedIdentity } from './user-config.ts';

/** TinyCore RedPill by pocopico, releases 0.9.2.9 and 0.10. */
export const tcrp: LoaderAdapter = {
  name: 'tcrp',
  // TinyCore's user, with the password that every copy has.
  login: { user: 'tc', password: 'P@ssw0rd' },
  plan,
  applies,
  input,
  secrets: output => Object.values(savedIdentity(output) ?? {}),
  judge: step => new OutcomeReader(step),
  bootEntry,
  builtFor,
};

function applies({ onlyIf }: Step, outputs: Outputs): boolean {
  switch (onlyIf?.code) {
    case 'upgraded_from_0.9':
      return /\b0\.9\./.test(outputs.get('version') ?? '');
    case 'no_identity':
      return savedIdentity(outputs.get('save_config') ?? '') === null;
    case undefined:
      return true;
  }
}

/** The configuration as it is now, with our settings, and with the serial number and MACs from before where kept. */
function input(step: Step, outputs: Outputs): StepInput {
  if (step.input === null) return { problem: { code: 'no_input', message: `"${step.title}" takes no input.` } };
  const { edits, keepIdentity } = step.input;
  const now = outputs.get('read_config') ?? '';
  const kept = keepIdentity ? savedIdentity(outputs.get('save_config') ?? '') : null;
  const edited = editUserConfig(now, { ...edits, ...kept });
  if ('problem' in edited) return edited;
  if (savedIdentity(edited.text) === null) {
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
