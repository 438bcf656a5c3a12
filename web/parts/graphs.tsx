import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { askVm, now, wordsOf } from '../api.ts';
import { clock, percent, rate } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { appended, type Column, noSamples, type Samples, samplesOf, summary } from '../model/series.ts';
import { useAnswer, useWatched } from '../store.ts';
import { Card, Choice } from './card.tsx';

interface Graph {
  title: string;
  series: Partial<Record<Column, string>>;
  text: (value: number | null | undefined) => string;
  /** The axis reaches at least so far. */
  most: number;
}

const graphs: readonly Graph[] = [
  { title: 'CPU', series: { cpu: '' }, text: percent, most: 10 },
  { title: 'Memory', series: { memory: '' }, text: percent, most: 100 },
  { title: 'Disks', series: { read: 'read', write: 'written' }, text: value => rate(value), most: 1e5 },
  { title: 'Network', series: { received: 'received', sent: 'sent' }, text: value => rate(value, 'bit/s'), most: 1e4 },
];

/** In the order of their colours. */
function seriesOf({ series }: Graph) {
  return Object.entries(series) as [Column, string][];
}

const dark = matchMedia('(prefers-color-scheme: dark)');

/** CPU, memory, disks and network on one time axis, which goes on with each sample. */
export function Graphs({ name, vm, round }: { name: string; vm: Vm; round: number }) {
  const [range, setRange] = useState<1 | 24>(1);
  const [at, point] = useState<number | null>(null);
  const { samples, error } = useSamples(name, vm, range, round);
  // A canvas has to be drawn anew.
  const scheme = useWatched(() => String(dark.matches), dark, 'change');
  const beside = (
    <>
      <span class="hint when" aria-hidden="true">
        {at === null ? '' : clock((samples.at[at] ?? 0) * 1_000, now())}
      </span>
      <Choice name="Time" options={[1, 24]} text={hour => `${hour} h`} value={range} choose={setRange} />
    </>
  );
  return (
    <Card id="graphs" title="Load" beside={beside}>
      {error !== null && <p class="said">{wordsOf(error)}</p>}
      <div class="graphs">
        {graphs.map(graph => (
          <figure key={graph.title}>
            <figcaption>
              <b>{graph.title}</b>
              {seriesOf(graph).map(([column, word], index) => (
                <span key={column} class={`key s${index}`}>
                  {word} {graph.text(samples[column].at(at ?? -1))}
                </span>
              ))}
            </figcaption>
            <Plot key={scheme} graph={graph} samples={samples} seconds={range * 3_600} point={point} />
            <p class="unseen">{spoken(graph, samples, range)}</p>
          </figure>
        ))}
      </div>
    </Card>
  );
}

/** What a screen reader says of a graph. */
function spoken(graph: Graph, samples: Samples, range: number): string {
  const { title, text } = graph;
  return seriesOf(graph)
    .map(([column, word]) => {
      const found = summary(samples[column]);
      const name = [title, word].filter(Boolean).join(' ');
      if (!found) return `${name}: nothing is known.`;
      const { least, mean, most } = found;
      const last = range === 1 ? 'the last hour' : 'the last 24 hours';
      return `${name}, ${last}: from ${text(least)} to ${text(most)}, on average ${text(mean)}.`;
    })
    .join(' ');
}

/** What the bridge has kept, and each sample that comes since. */
function useSamples(name: string, vm: Vm, range: number, round: number): { samples: Samples; error: Error | null } {
  const kept = useAnswer(
    async signal => samplesOf(await askVm('samples', name, { hours: String(range) }, signal)),
    [name, range, round],
  );
  const [samples, show] = useState(noSamples);
  useEffect(() => {
    if (kept && !(kept instanceof Error)) show(kept);
  }, [kept]);
  useEffect(() => {
    show(before => appended(before, vm.stats, range * 3_600));
  }, [vm.stats, kept]);
  return { samples, error: kept instanceof Error ? kept : null };
}

interface PlotProps {
  graph: Graph;
  samples: Samples;
  seconds: number;
  /** Which sample the pointer is at; null: at none. */
  point: (index: number | null) => void;
}

function Plot({ graph, samples, seconds, point }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef({ seconds, point });
  shown.current = { seconds, point };
  const data = useMemo<uPlot.AlignedData>(
    () => [[...samples.at], ...seriesOf(graph).map(([column]) => [...samples[column]])],
    [samples, graph],
  );
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const made = new uPlot(optionsOf(graph, element, shown), data, element);
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [data, seconds]);
  return <div ref={frame} class="plot" aria-hidden="true" />;
}

type Shown = { current: Pick<PlotProps, 'seconds' | 'point'> };

function optionsOf(graph: Graph, element: HTMLElement, shown: Shown): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name);
  const axis: uPlot.Axis = {
    stroke: colour('--muted'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    padding: [8, 2, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'load' }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => [now() / 1_000 - shown.current.seconds, now() / 1_000] },
      y: { range: (_, _least, most) => [0, Math.max(graph.most, (most ?? 0) * 1.1)] },
    },
    series: [
      {},
      ...seriesOf(graph).map((_, index) => ({
        stroke: colour(`--s${index}`),
        width: 1.5,
        points: { show: false },
        ...(index === 0 && { fill: colour('--fill') }),
      })),
    ],
    axes: [
      { ...axis, space: 64, size: 24, values: (_, times) => times.map(time => clock(time * 1_000, now()).slice(-5)) },
      {
        ...axis,
        space: 32,
        size: 66,
        gap: 6,
        values: (_, values) => values.map(value => graph.text(value).replace('.0', '')),
      },
    ],
    hooks: { setCursor: [({ cursor }) => shown.current.point(cursor.idx ?? null)] },
  };
}
