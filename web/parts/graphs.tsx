import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { now } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { useAnswer } from '../hooks.ts';
import { clock, percent, rate } from '../model/format.ts';
import { type Column, noSamples, type Samples, slotOf, summary } from '../model/series.ts';
import { Card, Choice } from './card.tsx';

interface Graph {
  title: string;
  /** What each is called. */
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

const colours = ['--accent', '--warn'];

/** In the order of their colours. */
function seriesOf({ series }: Graph) {
  return Object.entries(series) as [Column, string][];
}

const ranges = { 1: '1 h', 24: '24 h' } as const;
type Hours = '1' | '24';
const dark = matchMedia('(prefers-color-scheme: dark)');

/** CPU, memory, disks and network on one time axis, which goes on with each sample. */
export function Graphs({ name, vm, round }: VmProps) {
  const [hours, setHours] = useState<Hours>('1');
  const [at, point] = useState<number | null>(null);
  const { value, error } = useAnswer<Samples>('samples', { vm: name, hours }, round, slotOf(vm.stats.sampled_at));
  const samples = value ?? noSamples;
  const beside = (
    <>
      <span class="hint when" aria-hidden="true">
        {at !== null && clock((samples.at[at] ?? 0) * 1_000, now())}
      </span>
      <Choice name="Time" options={ranges} value={hours} choose={setHours} />
    </>
  );
  return (
    <Card id="graphs" title="Load" beside={beside}>
      {error !== null && <p class="said">{error}</p>}
      <div class="graphs">
        {graphs.map(graph => (
          <figure key={graph.title}>
            <figcaption>
              <b>{graph.title}</b>
              {seriesOf(graph).map(([column, word], index) => (
                <span key={column} style={{ color: `var(${colours[index]})` }}>
                  {word} {graph.text(samples[column].at(at ?? -1))}
                </span>
              ))}
            </figcaption>
            {/* A canvas has to be drawn anew. */}
            <Plot key={`${dark.matches} ${hours}`} {...{ graph, samples, hours, point }} />
            <p class="unseen">{spoken(graph, samples, hours)}</p>
          </figure>
        ))}
      </div>
    </Card>
  );
}

/** What a screen reader says of a graph. */
function spoken(graph: Graph, samples: Samples, hours: Hours): string {
  const { title, text } = graph;
  const sentences = seriesOf(graph).map(([column, word]) => {
    const found = summary(samples[column]);
    const name = [title, word].filter(Boolean).join(' ');
    if (!found) return `${name}: nothing is known.`;
    const { least, mean, most } = found;
    const last = hours === '1' ? 'the last hour' : 'the last 24 hours';
    return `${name}, ${last}: from ${text(least)} to ${text(most)}, on average ${text(mean)}.`;
  });
  return sentences.join(' ');
}

interface PlotProps {
  graph: Graph;
  samples: Samples;
  hours: Hours;
  /** Which sample the pointer is at; null: at none. */
  point: (index: number | null) => void;
}

function Plot(props: PlotProps) {
  const { graph, samples } = props;
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const made = new uPlot(optionsOf(props, element), [[]], element);
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
  useEffect(() => {
    plot.current?.setData([samples.at, ...seriesOf(graph).map(([column]) => samples[column])]);
  }, [samples]);
  return <div ref={frame} class="plot" aria-hidden="true" />;
}

function optionsOf({ graph, hours, point }: PlotProps, element: HTMLElement): uPlot.Options {
  const colour = (name: string) => getComputedStyle(element).getPropertyValue(name);
  const axis: uPlot.Axis = {
    stroke: colour('--muted'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const written = (value: number) => graph.text(value).replace('.0', '');
  return {
    width: element.clientWidth,
    height: element.clientHeight,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'load' }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => [now() / 1_000 - Number(hours) * 3_600, now() / 1_000] },
      y: { range: (_, _least, most) => [0, Math.max(graph.most, (most ?? 0) * 1.1)] },
    },
    series: [
      {},
      ...seriesOf(graph).map((_, index) => ({
        stroke: colour(colours[index] ?? ''),
        width: 1.5,
        points: { show: false },
        ...(index === 0 && { fill: colour('--fill') }),
      })),
    ],
    axes: [
      { ...axis, space: 64, size: 24, values: (_, times) => times.map(time => clock(time * 1_000, now()).slice(-5)) },
      { ...axis, space: 32, size: 66, gap: 6, values: (_, values) => values.map(written) },
    ],
    hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
  };
}
