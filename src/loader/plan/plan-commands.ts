import type { Prompt, Step } from '../adapter.ts';

/** The commands of a plan as people read them. Pure. */

export interface DraftCommand {
  /** `build` */
  name: string;
  title: string;
  /** One line of shell. */
  command: string;
  /** When it is run, in words; null: always. */
  condition: string | null;
  prompts: readonly DraftPrompt[];
  /** What is written into user_config.json; null: nothing. */
  settings: Readonly<Record<string, string>> | null;
  /** On what is written, a sentence each. */
  notes: readonly string[];
  timeout_seconds: number;
}

interface DraftPrompt {
  /** Its text; `…` for what is not known before. */
  asks: string;
  /** Empty: ENTER alone. */
  answer: string;
  /** How often it may be asked. */
  times: number;
}

export function draftCommands(steps: readonly Step[], mapNotes: readonly string[]): DraftCommand[] {
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

function prompt({ pattern, answer, times = 1 }: Prompt): DraftPrompt {
  return { asks: words(pattern), answer, times };
}

/** What a pattern of a prompt matches, without what it may match besides. */
function words({ source }: RegExp): string {
  return source
    .replaceAll(/\(\?:[^)]*\)\?|(?<!\\)[<>]\?/g, '')
    .replaceAll(/\\[wd]\{[^}]*\}/g, '…')
    .replaceAll(/\\(.)/g, '$1');
}
