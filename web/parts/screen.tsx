import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, pathOf, wordsOf } from '../api.ts';
import type { Vm } from '../model/live.ts';
import { useWatched } from '../store.ts';
import { Disclosure } from './card.tsx';

/** Milliseconds from one picture to the next. */
const pause = 2_000;

export function Screen({ name, vm: { label, display } }: { name: string; vm: Vm }) {
  const why = 'Nothing to show: it is off, has no display, or screenshot is not among its commands.';
  return (
    <Disclosure id="screen" title="Screen">
      {display ? <Picture name={name} label={label} /> : <p class="hint">{why}</p>}
    </Disclosure>
  );
}

/** Renewed while it can be seen; one request at a time. */
function Picture({ name, label }: { name: string; label: string }) {
  const [picture, show] = useState<string | null>(null);
  const [said, say] = useState('The bridge takes a picture …');
  const frame = useRef<HTMLElement>(null);
  const inView = useInView(frame);
  const wanted = useWatched(isSeen, document, 'visibilitychange') && inView;
  useEffect(() => {
    if (!wanted) return;
    const asking = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const next = async () => {
      try {
        const limit = AbortSignal.any([asking.signal, AbortSignal.timeout(10_000)]);
        const response = await ask(pathOf('screen', name), { signal: limit });
        const blob = await response.blob();
        if (asking.signal.aborted) return;
        show(URL.createObjectURL(blob));
        say('');
      } catch (error) {
        if (asking.signal.aborted) return;
        show(null);
        say(wordsOf(error));
      }
      timer = setTimeout(() => void next(), pause);
    };
    void next();
    return () => {
      asking.abort();
      clearTimeout(timer);
    };
  }, [name, wanted]);
  useEffect(() => () => void (picture && URL.revokeObjectURL(picture)), [picture]);
  return (
    <figure class="screen" ref={frame}>
      {picture && <img src={picture} alt={`What ${label} shows on its screen`} />}
      {said !== '' && <figcaption>{said}</figcaption>}
    </figure>
  );
}

const isSeen = () => !document.hidden;

function useInView(element: { current: Element | null }): boolean {
  const [inView, tell] = useState(false);
  useEffect(() => {
    if (!element.current) return;
    const observer = new IntersectionObserver(([entry]) => tell(entry?.isIntersecting === true));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return inView;
}
