import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { bootPhases } from '../../src/model/boot.ts';
import { ask, pathOf, piecesOf, wordsOf } from '../api.ts';
import { clock, duration } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { eventCutter } from '../model/stream.ts';
import { useNow } from '../store.ts';
import { Disclosure } from './card.tsx';

/** So many lines stay. */
const most = 500;

/** The serial console, while it is open; asked for anew with each connection. */
export function Console({ name, round }: { name: string; round: number }) {
  return (
    <Disclosure id="console" title="Serial console">
      <Lines key={round} name={name} />
    </Disclosure>
  );
}

function Lines({ name }: { name: string }) {
  const [lines, show] = useState<readonly string[]>([]);
  const [said, say] = useState('Waiting for lines …');
  useEffect(() => {
    const listening = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listen = async (): Promise<void> => {
      const response = await ask(pathOf('console', name), { signal: listening.signal });
      const cut = eventCutter();
      for await (const piece of piecesOf(response)) {
        for (const { lines: more, end } of cut(piece) as { lines?: string[]; end?: true }[]) {
          if (more) show(before => [...before, ...more].slice(-most));
          if (end) say('Nothing is recorded now. Waiting for the next boot …');
        }
      }
    };
    const again = () => {
      const isOver = listening.signal.aborted;
      if (!isOver)
        timer = setTimeout(() => void (document.hidden ? again() : listen().catch(failed).then(again)), 5_000);
    };
    const failed = (error: Error) => listening.signal.aborted || say(wordsOf(error));
    void listen().catch(failed).then(again);
    return () => {
      clearTimeout(timer);
      listening.abort();
    };
  }, [name]);
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
  const now = useNow(60_000);
  const { started_at, result, phases, lines, next_in_good_boot: next } = boot;
  const words = { ok: 'came up', slow: 'is slow', problem: 'has a problem', stopped: 'was stopped' } as const;
  return (
    <Disclosure
      id="boot"
      title="Last boot"
      hint={`${clock(started_at, now)}, ${result === null ? 'under way' : words[result]}`}
    >
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
    </Disclosure>
  );
}
