import { useState } from 'preact/hooks';
import { now } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { useAnswer } from '../hooks.ts';
import { clock, dateIn, duration, number, spaced, titled } from '../model/format.ts';
import {
  type Bar,
  barsOf,
  currentLine,
  edgesOf,
  type Line,
  type Mark,
  marksOf,
  tones,
  type VerdictLine,
  withoutProblem,
} from '../model/timeline.ts';
import { Button, Card, Choice, Dot } from './card.tsx';

const ranges = { hours: '24 h', days: '30 days' } as const;
type Range = keyof typeof ranges;
/** With their colours. */
const signs: Readonly<Record<Mark['kind'], readonly [string, string]>> = {
  start: ['▲', 'good'],
  stop: ['■', 'muted'],
  reboot: ['↻', 'accent'],
  loader: ['◆', 'accent'],
  quiet: ['☾', 'accent'],
};
/** So many marks are listed at first. */
const few = 6;

/** The checks as bars, and what happened to the machine. */
export function Timeline({ name, vm, round, events }: VmProps) {
  const [range, setRange] = useState<Range>('hours');
  const [pressed, press] = useState<number | null>(null);
  const at = now();
  const query = { vm: name, days: range === 'hours' ? '1' : '30' };
  const { value, error } = useAnswer<{ lines: Line[] }>('record', query, round, events, vm.check.since);
  const { lines } = value ?? { lines: [] };
  const edges = edgesOf(at, range);
  const bars = barsOf([...lines, ...currentLine(vm.check, lines)], edges, at);
  const marks = marksOf(lines, edges[0] ?? at);
  const share = withoutProblem(bars);
  const bar = bars.find(({ from }) => from === pressed);
  const choose = (value: Range) => {
    setRange(value);
    press(null);
  };
  const beside = <Choice name="Range" options={ranges} value={range} choose={choose} />;
  return (
    <Card id="timeline" title="Timeline" beside={beside}>
      <p class="hint">
        {error && `${error} `}
        {share === null
          ? 'Nothing is known yet.'
          : `Without a problem ${(share * 100).toFixed(share < 1 ? 2 : 0)} % of the time.`}
      </p>
      <ol class="bars" aria-label="Checks; the arrow keys go from bar to bar">
        {bars.map(each => (
          <li key={each.from}>
            <button
              type="button"
              class={each.quiet ? 'bar quiet-bar' : 'bar'}
              aria-expanded={each.from === pressed}
              aria-label={spoken(each, range)}
              onClick={() => press(each.from === pressed ? null : each.from)}
              onKeyDown={moved}
              // One stop for the Tab key: the arrows go from bar to bar.
              tabIndex={each === (bar ?? bars.at(-1)) ? 0 : -1}
            >
              {each.shares.map(([tone, part]) => (
                // The most serious is at the top, and never too small to be seen.
                <span key={tone} style={{ background: `var(--${tone})`, flexGrow: Math.max(part, 0.15) }} />
              ))}
            </button>
          </li>
        ))}
      </ol>
      <Marks marks={marks} edges={edges} />
      {bar && <Opened bar={bar} />}
      <Events key={range} marks={marks} />
    </Card>
  );
}

function moved({ key, currentTarget }: KeyboardEvent): void {
  const item = (currentTarget as HTMLElement).parentElement;
  const next = { ArrowLeft: item?.previousElementSibling, ArrowRight: item?.nextElementSibling }[key];
  next?.querySelector('button')?.focus();
}

function spoken({ from, to, shares, quiet }: Bar, range: Range): string {
  const when = range === 'hours' ? `${clock(from, now())} to ${clock(to, now())}` : dateIn(from);
  const parts = shares.map(([tone, share]) => (share < 1 ? `${tones[tone]} ${Math.ceil(share * 100)} %` : tones[tone]));
  return `${when}: ${parts.join(', ') || tones.unknown}${quiet ? ', quiet time' : ''}`;
}

function Sign({ kind, left }: { kind: Mark['kind']; left?: string }) {
  const [sign, colour] = signs[kind];
  return (
    <span class="sign" aria-hidden="true" style={{ left, color: `var(--${colour})` }}>
      {sign}
    </span>
  );
}

/** Below the bars; the list says the same in words. */
function Marks({ marks, edges }: { marks: readonly Mark[]; edges: readonly number[] }) {
  const [from = 0, to = 0] = [edges[0], edges.at(-1)];
  return (
    <div class="marks" aria-hidden="true">
      {marks.map(({ at, kind }) => (
        <Sign key={`${at}${kind}`} kind={kind} left={`${((at - from) / (to - from)) * 100}%`} />
      ))}
      <small>{clock(from, now())}</small>
      <small>now</small>
    </div>
  );
}

function Opened({ bar: { spans } }: { bar: Bar }) {
  return (
    <section class="opened" aria-label="Checks of this time">
      {spans.toReversed().map(({ from, to, tone, line }) => (
        <div key={from}>
          <p>
            <Dot tone={tone} />
            <b>{line ? titled(line.verdict) : 'Not known'}</b>{' '}
            <span class="hint">
              {clock(from, now())}, for {duration((to - from) / 1_000)}
            </span>
          </p>
          {line && <p>{line.reason}</p>}
          <Probes probes={Object.entries(line?.probes ?? {})} />
        </div>
      ))}
    </section>
  );
}

function Probes({ probes }: { probes: [string, NonNullable<VerdictLine['probes']['web']>][] }) {
  if (probes.length === 0) return null;
  return (
    <table>
      <thead>
        <tr>
          {['Probe', 'Found', 'ms', 'Why'].map(head => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {probes.map(([probe, { outcome, ms, explanation }]) => (
          <tr key={probe}>
            <th scope="row">{probe}</th>
            <td class={outcome ?? ''}>{spaced(outcome)}</td>
            <td>{number(ms)}</td>
            <td>{explanation}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Events({ marks }: { marks: readonly Mark[] }) {
  const [all, showAll] = useState(false);
  if (marks.length === 0) return <p class="hint">No start, stop or rebuild in this time.</p>;
  return (
    <>
      <ol class="events">
        {marks.slice(0, all ? marks.length : few).map(({ at, kind, text, seconds, late }) => (
          <li key={`${at}${kind}`}>
            <time dateTime={new Date(at).toISOString()}>{clock(at, now())}</time>
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
