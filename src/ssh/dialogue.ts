/**
 * Decides from a command's output and the time alone which prompt to answer. A prompt counts when it is the last output
 * and nothing follows for a while; it may end with a line feed or not. Each time it is asked it is answered once. What
 * looks like a question and is no known prompt counts as unknown after more patience.
 */

export interface Prompt {
  name: string;
  /** Matches the prompt up to its last visible character, without colours. White space after it is allowed for. */
  pattern: RegExp;
  /** Without its line feed, `''` being ENTER alone. */
  answer: string;
  /** How often it may be asked; default 1. Asked again, it counts as unknown. */
  times?: number;
}

/** Milliseconds without output: after which a prompt is complete; after which a question counts as unknown. */
type Patience = Readonly<Record<'settle' | 'patience', number>>;

export type Step =
  /** Nothing to do before this time; null: before more output. */
  | { kind: 'wait'; until: number | null }
  | { kind: 'answer'; name: string; text: string }
  | { kind: 'unknown_prompt'; name: string | null; text: string };

const window = 4_096;
const told = 300;

export class Dialogue {
  readonly #prompts: readonly { prompt: Prompt; last: RegExp }[];
  readonly #patience: Patience;
  #said = '';
  readonly #asked = new Map<Prompt, number>();
  #at = 0;

  constructor(prompts: readonly Prompt[], patience: Patience) {
    this.#prompts = prompts.map(prompt => ({ prompt, last: lastThing(prompt.pattern) }));
    this.#patience = patience;
  }

  /** Takes plain output that came at `now`, milliseconds of any clock; empty: output was held up until now. */
  feed(output: string, now: number): void {
    this.#said = (this.#said + output).slice(-window);
    this.#at = now;
  }

  next(now: number): Step {
    const said = this.#said;
    const settled = this.#at + this.#patience.settle;
    if (said.trim() === '') return { kind: 'wait', until: null };
    if (now < settled) return { kind: 'wait', until: settled };
    const prompt = this.#prompts.find(({ last }) => last.test(said))?.prompt ?? null;
    const answer = prompt && this.#answer(prompt);
    if (prompt && answer !== null) {
      this.#said = '';
      return { kind: 'answer', name: prompt.name, text: answer };
    }
    if (!prompt && !isQuestion(said)) return { kind: 'wait', until: null };
    const late = this.#at + this.#patience.patience;
    if (now < late) return { kind: 'wait', until: late };
    this.#said = '';
    return { kind: 'unknown_prompt', name: prompt?.name ?? null, text: question(said) };
  }

  #answer(prompt: Prompt): string | null {
    const asked = this.#asked.get(prompt) ?? 0;
    if (asked >= (prompt.times ?? 1)) return null;
    this.#asked.set(prompt, asked + 1);
    return prompt.answer;
  }
}

function lastThing({ source, flags }: RegExp): RegExp {
  return new RegExp(String.raw`(?:${source})\s*(?![\s\S])`, flags.replace(/[gy]/g, ''));
}

/** `[yY/nN]` even where a line feed follows, as bash's `echo` and `read` are often used; the rest only without. */
function isQuestion(said: string): boolean {
  return (
    /[[(]\s*y(?:y|es)?\s*\/\s*n(?:n|o)?\s*[\])]\s*[:?]?\s*$/i.test(said) ||
    /\?[ \t]*$|(?:password|passphrase)[^\n]*:[ \t]*$/i.test(said)
  );
}

/** The last line; if it has no words, as `#? ` of a menu, the lines above it too. */
function question(said: string): string {
  const lines = said.split(/[\r\n]+/).filter(line => line.trim() !== '');
  const last = lines.at(-1) ?? '';
  const text = /\p{L}/u.test(last) ? last : lines.slice(-6).join('\n');
  return text.trim().slice(-told);
}
