import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { bootPhases } from '../../src/model/boot.ts';
import { ask, messagesOf, now } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { useLoop } from '../hooks.ts';
import { clock, duration } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { Card } from './card.tsx';

/** So many lines stay. */
const most = 500;

/** The serial console, while it is open; asked for anew with each connection. */
export function Console({ name, round }: VmProps) {
  return (
    <Card folded id="console" title="Serial console">
      <Lines key={round} name={name} />
    </Card>
  );
}

function Lines({ name }: { name: string }) {
  const [lines, show] = useState<readonly string[]>([]);
  const [said, say] = useState('Waiting for lines …');
  const listen = async (signal: AbortSignal) => {
    const response = await ask('console', { query: { vm: name }, signal });
    for await (const messages of messagesOf<{ lines?: string[]; end?: true }>(response)) {
      const more = messages.flatMap(message => message.lines ?? []);
      if (more.length > 0) show(before => [...before, ...more].slice(-most));
      if (messages.some(({ end }) => end)) say('Nothing is recorded now. Waiting for the next boot …');
    }
  };
  useLoop(listen, 5_000, say);
  return <Log lines={lines} label="Serial console" empty={said} />;
}

/** Lines that grow. It stays at the end, unless somebody has scrolled up. */
export function Log({ lines, label, empty }: { lines: readonly string[]; label: string; empty: string }) {
  const element = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    if (element.current && atEnd.current) element.current.scrollTop = element.current.scrollHeight;
  }, [lines]);
  const scrolled = () => {
    const { scrollTop = 0, scrollHeight = 0, clientHeight = 0 } = element.current ?? {};
    atEnd.current = scrollHeight - scrollTop - clientHeight < 20;
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys.
    <pre ref={element} class="log" role="log" aria-live="off" tabIndex={0} aria-label={label} onScroll={scrolled}>
      {lines.length === 0 ? empty : lines.join('\n')}
    </pre>
  );
}

/** The last boot that people are told of: how far it came, and its last lines. */
export function LastBoot({ boot }: { boot: NonNullable<Vm['boot']> }) {
  const { started_at, result, phases, lines, next_in_good_boot: next } = boot;
  const words = { ok: 'came up', slow: 'is slow', problem: 'has a problem', stopped: 'was stopped' } as const;
  const state = result === null ? 'under way' : words[result];
  const beside = <span class="hint">{`${clock(started_at, now())}, ${state}`}</span>;
  return (
    <Card folded id="boot" title="Last boot" beside={beside}>
      <ol class="phases">
        {bootPhases.map(phase => (
          <li key={phase} class={phases[phase] === null ? 'pending' : 'done'}>
            {phase} {phases[phase] !== null && <b>{duration(phases[phase])}</b>}
          </li>
        ))}
      </ol>
      <Log lines={lines} label="Lines of the last boot" empty="It said nothing that could be read." />
      {next.length > 0 && (
        <>
          <p>In the last good boot, this came next:</p>
          <Log lines={next} label="Next in the last good boot" empty="" />
        </>
      )}
    </Card>
  );
}
