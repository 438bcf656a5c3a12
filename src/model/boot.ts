/** What a VM said while it booted. */

/** In their order. `menu`: the firmware or the loader's menu; `init`: DSM's own first scripts; `up`: DSM answers. */
export const bootPhases = ['menu', 'loader', 'kernel', 'init', 'up'] as const;
export type BootPhase = (typeof bootPhases)[number];

/**
 * `ok`: DSM came up; `slow`: it takes longer than it may, or than its boots usually do; `problem`: so the checks say;
 * `stopped`: the VM stopped before.
 */
export const bootResults = ['ok', 'slow', 'problem', 'stopped'] as const;
export type BootResult = (typeof bootResults)[number];

/** One boot. Its lines are plain text without serial numbers and MACs. Times are ISO 8601. */
export interface Boot {
  startedAt: string;
  /** When its recording ended; null: it goes on. */
  endedAt: string | null;
  /** Null: it boots, and nothing is wrong. */
  result: BootResult | null;
  /** Where its lines are from; null: nothing could be read. */
  source: 'log' | 'console' | null;
  /** Seconds from power on; null: not seen. */
  phases: Readonly<Record<BootPhase, number | null>>;
  /** The newest ones, the oldest first. */
  lines: readonly string[];
  /** What the last good boot had after the last line that both have. */
  next: readonly string[];
}

/** The last one that was reached. */
export function phaseOf({ phases }: Pick<Boot, 'phases'>): BootPhase | null {
  return bootPhases.findLast(phase => phases[phase] !== null) ?? null;
}

/** Of the sentence, characters. */
const longestSentence = 120;

/** Where a boot that failed stopped, as one short sentence; null: it did not fail, or nothing is known. */
export function stoppedAfter({ result, lines }: Boot): string | null {
  const last = lines.at(-1);
  if (last === undefined || result === 'ok' || result === null) return null;
  const words = `The boot stopped after: ${last}`;
  return words.length > longestSentence
    ? `${words.slice(0, longestSentence - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
    : words;
}
