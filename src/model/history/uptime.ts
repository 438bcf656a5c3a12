import type { Check } from '../check.ts';

/** How much of the time a guest was up, and how fast it answered: counted at each check, summed up by the hour. Pure. */

/**
 * Seconds in which it was meant to be up and this is known, and those of them in which it was reachable. Quiet time
 * does not count, nor time in which no check told: the bridge was away, or could not tell.
 */
interface Sums {
  up: number;
  meant: number;
  /** Checks that ran, those of them that measured a response, and the milliseconds of these together. */
  checks: number;
  answers: number;
  ms: number;
}

/** ISO 8601, both. */
export interface Span extends Sums {
  from: string;
  at: string;
}

/** A line of the record: what an hour came to. `ms`: the mean; null: nothing was measured. */
export interface ChecksLine extends Omit<Span, 'ms'> {
  what: 'checks';
  ms: number | null;
}

/** A line of the record: the verdict, or whether that is a problem, has changed. Only probes that were asked are there. */
export interface VerdictLine extends Pick<Check, 'verdict' | 'problem' | 'reason'> {
  at: string;
  what: 'verdict';
  probes: Partial<Record<string, Pick<NonNullable<Check['probes']['web']>, 'outcome' | 'ms' | 'explanation'>>>;
}

/** Days. */
const periods = { day: 1, week: 7, month: 30 } as const;
type Period = keyof typeof periods;

export interface Uptime {
  /** The hour that goes on; null: nothing was counted yet. */
  open: Span | null;
  /** The hours before it; what is older than two days, as days. */
  closed: readonly Span[];
  /** As of the last full hour; null: unknown. */
  percent: Readonly<Record<Period, number | null>>;
  ms: Readonly<Record<Period, number | null>>;
  /** The last verdict in the record, and how many that day has. */
  told: (Pick<VerdictLine, 'at' | 'verdict' | 'problem'> & { count: number }) | null;
  /** The lines that came with the latest change. */
  added: readonly (ChecksLine | VerdictLine)[];
}

const unknown = { day: null, week: null, month: null };
export const noUptime: Uptime = { open: null, closed: [], percent: unknown, ms: unknown, told: null, added: [] };

const dayLength = 86_400_000;
/** More than 48 hours and 30 days. A clock that is set must not make it forget them. */
const mostSpans = 100;
/** Milliseconds that a check may be late, and what the one before it found still counts. */
const slack = 60_000;
/** Verdicts of one day: so the record of 90 days has an upper size, whatever a guest does. */
const mostVerdicts = 24;
/** Characters. */
const longest = { reason: 200, explanation: 100 };

/** What is known of a VM before a change. */
interface Before {
  check: Check | null;
  quiet: object | null;
  uptime: Uptime;
}

/** With the time since the last check counted, and with what that adds to the record. `check`: the new one. */
export function tallied(before: Before, check: Check | null, at: string): Uptime {
  const open = counted(before, check, at);
  const last = before.uptime.told;
  const verdict = verdictLine(last, check, at);
  const added = verdict ? [verdict] : [];
  const uptime = { ...before.uptime, open, added, told: verdict ? told(last, verdict) : last };
  return hourOf(open.from) === hourOf(at) ? uptime : atHour(uptime, open);
}

/** What the record says. `now`: milliseconds since 1970. */
export function uptimeFrom(
  checks: readonly Omit<ChecksLine, 'what'>[],
  verdicts: readonly Pick<VerdictLine, 'at' | 'verdict' | 'problem'>[],
  now: number,
): Uptime {
  const closed = checks.map(({ ms, ...span }) => ({ ...span, ms: (ms ?? 0) * span.answers }));
  return { ...withFigures(noUptime, closed, now), told: verdicts.reduce<Uptime['told']>(told, null) };
}

/** The line of the hour that goes on; empty: nothing was counted in it. */
export function lineOf(span: Span | null): ChecksLine[] {
  if (!span || (span.meant === 0 && span.checks === 0)) return [];
  const { at, from, up, meant, checks, answers, ms } = span;
  const mean = answers === 0 ? null : rounded(ms / answers, 10);
  return [{ at, what: 'checks', from, up: Math.round(up), meant: Math.round(meant), checks, answers, ms: mean }];
}

function counted({ check, quiet, uptime: { open } }: Before, next: Check | null, at: string): Span {
  const { from, up, meant, checks, answers, ms } = open ?? begun(at);
  const counts = check?.expected === 'running' && check.reachable !== null && !quiet;
  const seconds = counts ? relied(check, open?.at ?? at, at) : 0;
  const isNew = next !== null && next.checkedAt !== null && next.checkedAt !== check?.checkedAt;
  const latency = isNew && !quiet ? next.latency : null;
  return {
    ...{ from, at, meant: meant + seconds, up: up + (check?.reachable ? seconds : 0), checks: checks + Number(isNew) },
    ...{ answers: answers + Number(latency !== null), ms: ms + (latency ?? 0) },
  };
}

/** Seconds between two times in which the finding of a check counts: a clock that is set cannot make them many. */
function relied({ nextAt }: Check, since: string, at: string): number {
  const until = nextAt === null ? Number.NEGATIVE_INFINITY : Date.parse(nextAt) + slack;
  return Math.max(0, Math.min(Date.parse(at), until) - Date.parse(since)) / 1_000;
}

function atHour(uptime: Uptime, open: Span): Uptime {
  const lines = lineOf(open);
  const closed = lines.length === 0 ? uptime.closed : [...uptime.closed, open];
  return {
    ...withFigures(uptime, closed, Date.parse(open.at)),
    open: begun(open.at),
    added: [...lines, ...uptime.added],
  };
}

function begun(at: string): Span {
  return { from: at, at, up: 0, meant: 0, checks: 0, answers: 0, ms: 0 };
}

function withFigures(uptime: Uptime, spans: readonly Span[], now: number): Uptime {
  let closed: Span[] = [];
  for (const span of spans) {
    const age = now - Date.parse(span.at);
    const last = closed.at(-1);
    // After a restart, an hour goes on in another line.
    const unit = age >= 2 * dayLength ? dayOf : hourOf;
    const joins = last && unit(last.at) === unit(span.at);
    if (joins) closed[closed.length - 1] = { ...sumOf([last, span]), from: last.from, at: span.at };
    else closed.push(span);
  }
  closed = closed.slice(-mostSpans);
  const within = (period: Period) =>
    sumOf(closed.filter(({ at }) => now - Date.parse(at) < periods[period] * dayLength));
  const each = (figure: (sums: Sums) => number | null) => {
    return { day: figure(within('day')), week: figure(within('week')), month: figure(within('month')) };
  };
  return {
    ...{ ...uptime, closed },
    // Rounded down: 100 is said only of a guest that was always up.
    percent: each(({ up, meant }) => (meant === 0 ? null : Math.floor((up / meant) * 10_000) / 100)),
    ms: each(({ answers, ms }) => (answers === 0 ? null : rounded(ms / answers, 10))),
  };
}

function sumOf(spans: readonly Sums[]): Sums {
  const sum = (member: keyof Sums) => spans.reduce((total, span) => total + span[member], 0);
  return { up: sum('up'), meant: sum('meant'), checks: sum('checks'), answers: sum('answers'), ms: sum('ms') };
}

function verdictLine(last: Uptime['told'], check: Check | null, at: string): VerdictLine | null {
  if (!check || (last?.verdict === check.verdict && last.problem === check.problem)) return null;
  if (last && dayOf(last.at) === dayOf(at) && last.count >= mostVerdicts) return null;
  const { verdict, problem, reason } = check;
  const probes = Object.entries(check.probes).map(([name, { outcome, ms, explanation }]) => {
    return [name, { outcome, ms, explanation: explanation.slice(0, longest.explanation) }];
  });
  const bounded = reason.slice(0, longest.reason);
  return { at, what: 'verdict', verdict, problem, reason: bounded, probes: Object.fromEntries(probes) };
}

function told(
  last: Uptime['told'],
  { at, verdict, problem }: Pick<VerdictLine, 'at' | 'verdict' | 'problem'>,
): NonNullable<Uptime['told']> {
  const count = last && dayOf(last.at) === dayOf(at) ? last.count + 1 : 1;
  return { at, verdict, problem, count };
}

const hourOf = (at: string) => at.slice(0, 13);
const dayOf = (at: string) => at.slice(0, 10);

function rounded(value: number, per: number): number {
  return Math.round(value * per) / per;
}
