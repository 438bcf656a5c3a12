import { useState } from 'preact/hooks';
import { askVm, wordsOf } from '../api.ts';
import { clock, dateIn, duration, spaced, titled } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import {
  type Bar,
  barsOf,
  currentLine,
  edgesOf,
  linesOf,
  type Mark,
  marksOf,
  type Span,
  type Tone,
  withoutProblem,
} from '../model/timeline.ts';
import { useAnswer, useNow } from '../store.ts';
import { Button, Card, Choice } from './card.tsx';

const ranges = { hours: '24 h', days: '30 days' } as const;
const tones: Readonly<Record<Tone, string>> = {
  bad: 'a problem',
  warn: 'degraded',
  busy: 'on its way',
  good: 'up',
  off: 'off',
  unknown: 'not known',
};
/** So many marks are listed at first. */
const few = 6;

interface Props {
  name: string;
  vm: Vm;
  /** Changes when the record may have grown. */
  grown: string;
}

/** The checks as bars, and what happened to the machine. */
export function Timeline({ name, vm, grown }: Props) {
  const [range, setRange] = useState<'hours' | 'days'>('hours');
  const [pressed, press] = useState<number | null>(null);
  const now = useNow(60_000);
  const days = range === 'hours' ? '1' : '30';
  const answer = useAnswer(async signal => linesOf(await askVm('record', name, { days }, signal)), [name, days, grown]);
  const told = answer instanceof Error || answer === null ? [] : answer;
  const lines = [...told, ...currentLine(vm.check, told)];
  const edges = edgesOf(now, range);
  const bars = barsOf(lines, edges, now);
  const marks = marksOf(lines, edges[0] ?? now);
  const share = withoutProblem(bars);
  const bar = bars.find(({ from }) => from === pressed);
  const choose = (value: 'hours' | 'days') => {
    setRange(value);
    press(null);
  };
  return (
    <Card
      id="timeline"
      title="Timeline"
      beside={
        <Choice name="Range" options={['hours', 'days']} text={each => ranges[each]} value={range} choose={choose} />
      }
    >
      <p class="hint">
        {answer instanceof Error && `${wordsOf(answer)} `}
        {share === null
          ? 'Nothing is known yet.'
          : `Without a problem ${(share * 100).toFixed(share < 1 ? 2 : 0)} % of the time.`}
      </p>
      <ol class="bars" aria-label="Checks; the arrow keys go from bar to bar">
        {bars.map((each, index) => (
          <li key={each.from}>
            <button
              type="button"
              class={each.quiet ? 'bar quiet-bar' : 'bar'}
              aria-expanded={each.from === pressed}
              aria-label={spoken(each, range, now)}
              onClick={() => press(each.from === pressed ? null : each.from)}
              onKeyDown={moved}
              // One stop for the Tab key: the arrows go from bar to bar.
              tabIndex={bar ? (bar === each ? 0 : -1) : index === bars.length - 1 ? 0 : -1}
            >
              {each.shares.map(([tone, part]) => (
                // The most serious is at the top, and never too small to be seen.
                <span key={tone} class={tone} style={{ flexGrow: Math.max(part, 0.15) }} />
              ))}
            </button>
          </li>
        ))}
      </ol>
      <Marks marks={marks} edges={edges} now={now} />
      {bar && <Opened bar={bar} now={now} />}
      <Events key={range} marks={marks} now={now} />
    </Card>
  );
}

function moved({ key, currentTarget }: KeyboardEvent): void {
  const item = currentTarget instanceof HTMLElement ? currentTarget.parentElement : null;
  const next =
    key === 'ArrowLeft' ? item?.previousElementSibling : key === 'ArrowRight' ? item?.nextElementSibling : null;
  next?.querySelector('button')?.focus();
}

function spoken({ from, to, shares, quiet }: Bar, range: 'hours' | 'days', now: number): string {
  const when = range === 'hours' ? `${clock(from, now)} to ${clock(to, now)}` : dateIn(from);
  const parts = shares.map(([tone, share]) => (share < 1 ? `${tones[tone]} ${Math.ceil(share * 100)} %` : tones[tone]));
  return `${when}: ${parts.join(', ') || tones.unknown}${quiet ? ', quiet time' : ''}`;
}

const signs = { start: '▲', stop: '■', reboot: '↻', loader: '◆', quiet: '☾' } as const;

function Sign({ kind, left }: { kind: Mark['kind']; left?: number }) {
  const place = left === undefined ? {} : { left: `${left * 100}%` };
  return (
    <span class={`sign of-${kind}`} aria-hidden="true" style={place}>
      {signs[kind]}
    </span>
  );
}

/** Below the bars; the list says the same in words. */
function Marks({ marks, edges, now }: { marks: readonly Mark[]; edges: readonly number[]; now: number }) {
  const [from = now, to = now] = [edges[0], edges.at(-1)];
  return (
    <div class="marks" aria-hidden="true">
      {marks.map(({ at, kind }) => (
        <Sign key={`${at}${kind}`} kind={kind} left={(at - from) / (to - from)} />
      ))}
      <small>{clock(from, now)}</small>
      <small>now</small>
    </div>
  );
}

function Opened({ bar: { spans }, now }: { bar: Bar; now: number }) {
  return (
    <section class="opened" aria-label="Checks of this time">
      {spans.length === 0 && <p class="hint">Nothing is known of this time.</p>}
      {spans.toReversed().map(span => (
        <Verdict key={span.from} span={span} now={now} />
      ))}
    </section>
  );
}

function Verdict({ span: { from, to, tone, line }, now }: { span: Span; now: number }) {
  const probes = Object.entries(line?.probes ?? {});
  return (
    <div>
      <p>
        <span class={`dot ${tone}`} aria-hidden="true" />
        <b>{line ? titled(line.verdict) : 'Not known'}</b>{' '}
        <span class="hint">
          {clock(from, now)}, for {duration((to - from) / 1_000)}
        </span>
      </p>
      {line?.reason && <p>{line.reason}</p>}
      {probes.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Probe</th>
              <th scope="col">Found</th>
              <th scope="col">ms</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {probes.map(([probe, { outcome, ms, explanation }]) => (
              <tr key={probe}>
                <th scope="row">{probe}</th>
                <td class={outcome ?? ''}>{spaced(outcome)}</td>
                <td>{ms === null ? '–' : ms.toFixed(ms < 10 ? 1 : 0)}</td>
                <td>{explanation}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function Events({ marks, now }: { marks: readonly Mark[]; now: number }) {
  const [all, showAll] = useState(false);
  if (marks.length === 0) return <p class="hint">No start, stop or rebuild in this time.</p>;
  return (
    <>
      <ol class="events">
        {marks.slice(0, all ? marks.length : few).map(({ at, kind, text, seconds, late }) => (
          <li key={`${at}${kind}`}>
            <time dateTime={new Date(at).toISOString()}>{clock(at, now)}</time>
            <Sign kind={kind} />
            <span>
              {`${text}${seconds === null ? '' : `, ${kind === 'loader' || kind === 'stop' ? 'in' : 'up after'} ${duration(seconds)}`}`}
              {late && <small> (noticed later)</small>}
            </span>
          </li>
        ))}
      </ol>
      {marks.length > few && !all && <Button press={() => showAll(true)}>All {marks.length}</Button>}
    </>
  );
}
