import type { Verdict } from '../../src/model/check.ts';
import type { CheckDocument } from '../../src/model/documents.ts';

/** The record of a VM as bars of a timeline. Pure; times in milliseconds since 1970. */

/** One line of the record. What else it has depends on `what`. */
export interface Line {
  at: string;
  what: string;
  [key: string]: unknown;
}

export interface VerdictLine {
  at: string;
  verdict: Verdict;
  problem: boolean | null;
  reason: string | null;
  probes: CheckDocument['probes'];
}

/** From well to unknown; `quiet` is beside these. */
export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'off' | 'unknown';

/** One verdict, as long as it held. */
export interface Span {
  from: number;
  to: number;
  tone: Tone;
  line: VerdictLine | null;
}

/** A piece of the timeline that can be pressed. */
export interface Bar {
  from: number;
  to: number;
  /** The most serious of its spans. */
  tone: Tone;
  /** How much of its time each tone has, from 0 to 1, the most serious first. */
  shares: readonly (readonly [Tone, number])[];
  /** Problems were held back for a part of it. */
  quiet: boolean;
  spans: readonly Span[];
}

/** Milliseconds. One sum begins where the one before it ended, unless the bridge was away. */
const longestPause = 15 * 60_000;
const seriousness: readonly Tone[] = ['bad', 'warn', 'busy', 'good', 'off', 'unknown'];
const busy: ReadonlySet<Verdict> = new Set(['booting', 'starting', 'updating', 'loader', 'installer', 'recoverable']);

export function toneOf({ verdict, problem }: Pick<VerdictLine, 'verdict' | 'problem'>): Tone {
  if (problem) return 'bad';
  if (verdict === 'up') return 'good';
  if (verdict === 'off' || verdict === 'paused') return 'off';
  if (busy.has(verdict)) return 'busy';
  return verdict === 'unknown' ? 'unknown' : 'warn';
}

/** Lines of the record; what has no time or no word for what it is, is none. */
export function linesOf(value: unknown): Line[] {
  const { lines } = (value ?? {}) as { lines?: unknown };
  if (!Array.isArray(lines)) return [];
  return lines.filter(line => typeof line?.what === 'string' && !Number.isNaN(Date.parse(line.at)));
}

/** The verdict as it is now, as the line that it would be: its own may be older than what was asked for. */
export function currentLine(
  { since, verdict, problem, reason, probes }: CheckDocument,
  lines: readonly Line[] = [],
): Line[] {
  const isTold = lines.some(line => line.what === 'verdict' && line['verdict'] === verdict && line.at >= (since ?? ''));
  return since === null || isTold ? [] : [{ at: since, what: 'verdict', verdict, problem, reason, probes }];
}

/** Starts of whole hours or days of this browser's time, and the end of the last one: 24 hours, 30 days. */
export function edgesOf(now: number, range: 'hours' | 'days'): number[] {
  const count = range === 'hours' ? 24 : 30;
  return Array.from({ length: count + 1 }, (_, index) => {
    const edge = new Date(now);
    if (range === 'hours') return edge.setMinutes(0, 0, 0) + (index + 1 - count) * 3_600_000;
    edge.setHours(0, 0, 0, 0);
    return edge.setDate(edge.getDate() + index + 1 - count);
  });
}

/** Every moment before `now`; before the first line, and while nobody checked, nothing is known. */
function spansOf(lines: readonly Line[], from: number, now: number): Span[] {
  const verdicts = lines.filter(({ what, verdict }) => what === 'verdict' && typeof verdict === 'string');
  const sorted = verdicts.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at)) as unknown as VerdictLine[];
  const gaps = gapsOf(lines);
  const starts = [{ at: from, line: null }, ...sorted.map(line => ({ at: Date.parse(line.at), line }))];
  return starts.flatMap(({ at, line }, index) => {
    const [start, end] = [Math.max(at, from), Math.min(starts[index + 1]?.at ?? now, now)];
    if (end <= start) return [];
    const span: Span = { from: start, to: end, tone: line ? toneOf(line) : 'unknown', line };
    return span.tone === 'off' ? [span] : without(span, gaps);
  });
}

/** Times between two sums of checks that are too long for a pause: the bridge was away. */
function gapsOf(lines: readonly Line[]): { from: number; to: number }[] {
  const sums = lines.filter(({ what, from }) => what === 'checks' && typeof from === 'string');
  return sums.slice(1).flatMap((sum, index) => {
    const gap = { from: Date.parse(sums[index]?.at ?? ''), to: Date.parse(String(sum['from'])) };
    return gap.to - gap.from > longestPause ? [gap] : [];
  });
}

function without(span: Span, gaps: readonly { from: number; to: number }[]): Span[] {
  const gap = gaps.find(({ from, to }) => from < span.to && to > span.from);
  if (!gap) return [span];
  const [from, to] = [Math.max(gap.from, span.from), Math.min(gap.to, span.to)];
  const unknown: Span = { from, to, tone: 'unknown', line: null };
  const known = [{ ...span, to: from }, unknown, ...(to < span.to ? without({ ...span, from: to }, gaps) : [])];
  return known.filter(each => each.to > each.from);
}

export function barsOf(lines: readonly Line[], edges: readonly number[], now: number): Bar[] {
  const spans = spansOf(lines, edges[0] ?? now, now);
  const quiets = quietsOf(lines);
  return edges.slice(0, -1).map((from, index) => {
    const to = edges[index + 1] ?? now;
    const inside = spans.flatMap(span => {
      const part = { ...span, from: Math.max(span.from, from), to: Math.min(span.to, to) };
      return part.to > part.from ? [part] : [];
    });
    const whole = inside.reduce((total, span) => total + span.to - span.from, 0);
    const shares = seriousness.flatMap(tone => {
      const time = inside.reduce((total, span) => total + (span.tone === tone ? span.to - span.from : 0), 0);
      return time > 0 ? [[tone, time / whole] as const] : [];
    });
    const quiet = quiets.some(each => each.from < Math.min(to, now) && each.to > from);
    return { from, to, tone: shares[0]?.[0] ?? 'unknown', shares, quiet, spans: inside };
  });
}

/** Each line of quiet time ends the one before it. */
function quietsOf(lines: readonly Line[]): { from: number; to: number }[] {
  const quiet = lines.filter(({ what }) => what === 'quiet');
  return quiet.map(({ at, until }, index) => {
    const end = typeof until === 'string' ? Date.parse(until) : Date.parse(at);
    const next = quiet[index + 1];
    return { from: Date.parse(at), to: Math.min(end, next ? Date.parse(next.at) : end) };
  });
}

export interface Mark {
  at: number;
  kind: 'start' | 'stop' | 'reboot' | 'loader' | 'quiet';
  /** `Shut down by anna`. */
  text: string;
  /** What it took, seconds; null: not measured. */
  seconds: number | null;
  /** It was noticed later than it happened. */
  late: boolean;
}

/** What happened to the machine, the newest first. */
export function marksOf(lines: readonly Line[], from: number): Mark[] {
  return lines
    .flatMap((line): Mark[] => {
      const at = Date.parse(line.at);
      const told = at < from ? null : textOf(line);
      const seconds = typeof line['seconds'] === 'number' ? line['seconds'] : null;
      return told ? [{ at, ...told, seconds, late: line['seen'] === false }] : [];
    })
    .reverse();
}

const stops: Readonly<Record<string, string>> = {
  shutdown: 'Shut down',
  destroyed: 'Power cut',
  crashed: 'Crashed',
  failed: 'Failed',
  saved: 'Saved to disk',
  migrated: 'Moved to another host',
  gone: 'Gone',
};
const results: Readonly<Record<string, string>> = {
  succeeded: 'done',
  awaiting_dsm_install: 'done; DSM is to be installed',
  rolled_back: 'the old loader is back',
};

function textOf(line: Line): Pick<Mark, 'kind' | 'text'> | null {
  const { what, by, how, why, until, result } = line;
  const who = typeof by === 'string' ? ` by ${by === 'guest' ? 'the guest itself' : by}` : '';
  const word = typeof why === 'string' && !['start', 'shutdown', 'reboot'].includes(why) ? `, ${words(why)}` : '';
  switch (what) {
    case 'start':
      return { kind: 'start', text: `Started${who}${word}` };
    case 'stop':
      return { kind: 'stop', text: `${stops[String(how)] ?? 'Off'}${who}${word}` };
    case 'reboot':
      return { kind: 'reboot', text: `Restarted${who}${word}` };
    case 'rebuild':
    case 'rollback': {
      const name = what === 'rebuild' ? 'Loader rebuilt' : 'Loader rolled back';
      return { kind: 'loader', text: `${name}${who}: ${results[String(result)] ?? words(String(result))}` };
    }
    case 'quiet':
      return { kind: 'quiet', text: typeof until === 'string' ? `Quiet time${who}` : `Quiet time ended${who}` };
    default:
      return null;
  }
}

function words(text: string): string {
  return text.replaceAll('_', ' ');
}

/** For a screen reader, and beside the heading: the share of known time in which no problem was; null: none is known. */
export function withoutProblem(bars: readonly Bar[]): number | null {
  const spans = bars.flatMap(bar => bar.spans).filter(({ tone }) => tone !== 'unknown');
  const time = (some: readonly Span[]) => some.reduce((total, span) => total + span.to - span.from, 0);
  return spans.length === 0 ? null : 1 - time(spans.filter(({ tone }) => tone === 'bad')) / time(spans);
}
