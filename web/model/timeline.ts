import type { Verdict } from '../../src/model/check.ts';
import type { CheckDocument } from '../../src/model/documents.ts';
import type { PowerLine } from '../../src/model/history/history.ts';
import type { ChecksLine } from '../../src/model/history/uptime.ts';
import { spaced } from './format.ts';

/** The record of a VM as bars of a timeline. Pure; times in milliseconds since 1970. */

export interface VerdictLine extends Pick<CheckDocument, 'verdict' | 'problem' | 'reason' | 'probes'> {
  at: string;
  what: 'verdict';
}

/** One line of `api/record`. Other kinds of lines may stand beside these. */
export type Line =
  | PowerLine
  | ChecksLine
  | VerdictLine
  | { what: 'rebuild' | 'rollback'; at: string; by: string | null; result: string; seconds: number | null }
  | { what: 'quiet'; at: string; by: string | null; until: string | null };

/** Colours, in words; the most serious first. */
export const tones = {
  bad: 'a problem',
  warn: 'degraded',
  busy: 'on its way',
  good: 'up',
  off: 'off',
  unknown: 'not known',
} as const;
export type Tone = keyof typeof tones;

interface Time {
  from: number;
  to: number;
}

/** One verdict, as long as it held. */
interface Span extends Time {
  tone: Tone;
  line: VerdictLine | null;
}

/** A piece of the timeline that can be pressed. */
export interface Bar extends Time {
  /** How much of its time each tone has, from 0 to 1, the most serious first. */
  shares: readonly (readonly [Tone, number])[];
  /** Problems were held back for a part of it. */
  quiet: boolean;
  spans: readonly Span[];
}

/** Milliseconds. One sum begins where the one before it ended, unless the bridge was away. */
const longestPause = 15 * 60_000;
const busy: ReadonlySet<Verdict> = new Set(['booting', 'starting', 'updating', 'loader', 'installer', 'recoverable']);

export function toneOf({ verdict, problem }: Pick<VerdictLine, 'verdict' | 'problem'>): Tone {
  if (problem) return 'bad';
  if (verdict === 'up') return 'good';
  if (verdict === 'off' || verdict === 'paused') return 'off';
  if (busy.has(verdict)) return 'busy';
  return verdict === 'unknown' ? 'unknown' : 'warn';
}

/** The verdict as it is now, as the line that it would be: its own may be older than what was asked for. */
export function currentLine({ since, ...check }: CheckDocument, lines: readonly Line[] = []): Line[] {
  if (since === null) return [];
  const isTold = lines.some(line => line.what === 'verdict' && line.verdict === check.verdict && line.at >= since);
  return isTold ? [] : [{ ...check, at: since, what: 'verdict' }];
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
  const verdicts = lines.filter(line => line.what === 'verdict').map(line => ({ line, at: Date.parse(line.at) }));
  const gaps = gapsOf(lines);
  const starts = [{ at: from, line: null }, ...verdicts.sort((a, b) => a.at - b.at)];
  return starts.flatMap(({ at, line }, index) => {
    const to = Math.min(starts[index + 1]?.at ?? now, now);
    const span: Span = { from: Math.max(at, from), to, tone: line ? toneOf(line) : 'unknown', line };
    if (span.to <= span.from) return [];
    if (span.tone === 'off') return [span];
    const times = gaps.flatMap(gap => [gap.from, gap.to]);
    const isInGap = (piece: Span) => gaps.some(gap => piece.from >= gap.from && piece.from < gap.to);
    return cutAt(times, span).map(piece => (isInGap(piece) ? { ...piece, tone: 'unknown', line: null } : piece));
  });
}

/** In pieces, which end at these times. */
function cutAt(times: readonly number[], span: Span): Span[] {
  const ends = [...times.filter(time => time > span.from && time < span.to), span.to];
  return ends.map((to, index) => ({ ...span, from: ends[index - 1] ?? span.from, to }));
}

/** Too long a pause between two sums of checks: the bridge was away. */
function gapsOf(lines: readonly Line[]): Time[] {
  const sums = lines.filter(line => line.what === 'checks');
  const pauses = sums.map(({ from }, index) => ({ from: Date.parse(sums[index - 1]?.at ?? ''), to: Date.parse(from) }));
  return pauses.filter(({ from, to }) => to - from > longestPause);
}

export function barsOf(lines: readonly Line[], edges: readonly number[], now: number): Bar[] {
  const pieces = spansOf(lines, edges[0] ?? now, now).flatMap(span => cutAt(edges, span));
  const quiets = quietsOf(lines);
  return edges.slice(0, -1).map((from, index) => {
    const to = edges[index + 1] ?? now;
    const spans = pieces.filter(piece => piece.from >= from && piece.from < to);
    const shares = (Object.keys(tones) as Tone[]).flatMap(tone => {
      const time = lengthOf(spans.filter(span => span.tone === tone));
      return time > 0 ? [[tone, time / lengthOf(spans)] as const] : [];
    });
    const quiet = quiets.some(each => each.from < Math.min(to, now) && each.to > from);
    return { from, to, shares, quiet, spans };
  });
}

function lengthOf(spans: readonly Time[]): number {
  return spans.reduce((total, { from, to }) => total + to - from, 0);
}

/** Each line of quiet time ends the one before it. */
function quietsOf(lines: readonly Line[]): Time[] {
  const quiet = lines.filter(line => line.what === 'quiet');
  return quiet.map(({ at, until }, index) => {
    const end = until ?? at;
    return { from: Date.parse(at), to: Math.min(Date.parse(end), Date.parse(quiet[index + 1]?.at ?? end)) };
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
  const marks = lines.filter(({ at }) => Date.parse(at) >= from).map(markOf);
  return marks.filter(mark => mark !== null).reverse();
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

function markOf(line: Line): Mark | null {
  const { by, why, seconds, seen } = { by: null, why: null, seconds: null, seen: true, ...line };
  const who = by === null ? '' : ` by ${by === 'guest' ? 'the guest itself' : by}`;
  const word = ['start', 'shutdown', 'reboot', null].includes(why) ? '' : `, ${spaced(why)}`;
  const mark = (kind: Mark['kind'], text: string) => ({ at: Date.parse(line.at), kind, text, seconds, late: !seen });
  if (line.what === 'start') return mark('start', `Started${who}${word}`);
  if (line.what === 'stop') return mark('stop', `${stops[line.how ?? ''] ?? 'Off'}${who}${word}`);
  if (line.what === 'reboot') return mark('reboot', `Restarted${who}${word}`);
  if (line.what === 'quiet') return mark('quiet', `Quiet time${line.until === null ? ' ended' : ''}${who}`);
  if (line.what !== 'rebuild' && line.what !== 'rollback') return null;
  const name = line.what === 'rebuild' ? 'Loader rebuilt' : 'Loader rolled back';
  return mark('loader', `${name}${who}: ${results[line.result] ?? spaced(line.result)}`);
}

/** For a screen reader, and beside the heading: the share of known time in which no problem was; null: none is known. */
export function withoutProblem(bars: readonly Bar[]): number | null {
  const spans = bars.flatMap(bar => bar.spans).filter(({ tone }) => tone !== 'unknown');
  return spans.length === 0 ? null : 1 - lengthOf(spans.filter(({ tone }) => tone === 'bad')) / lengthOf(spans);
}
