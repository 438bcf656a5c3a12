import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { useLoop } from '../hooks.ts';
import { Card } from './card.tsx';

export function Screen(props: VmProps) {
  const why = 'Nothing to show: it is off, has no display, or screenshot is not among its commands.';
  return (
    <Card folded id="screen" title="Screen">
      {props.vm.display ? <Picture {...props} /> : <p class="hint">{why}</p>}
    </Card>
  );
}

/** Renewed while it can be seen; one request at a time. */
function Picture({ name, vm }: VmProps) {
  const [picture, show] = useState<string | null>(null);
  const [said, say] = useState('The bridge takes a picture …');
  const frame = useRef<HTMLElement>(null);
  const take = async (signal: AbortSignal) => {
    const { top = 0, bottom = 0 } = frame.current?.getBoundingClientRect() ?? {};
    if (bottom < 0 || top > innerHeight) return;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(10_000)]);
    const response = await ask('screen', { query: { vm: name }, signal: limit });
    const blob = await response.blob();
    show(URL.createObjectURL(blob));
    say('');
  };
  useLoop(take, 2_000, why => {
    show(null);
    say(why);
  });
  useEffect(() => () => void (picture && URL.revokeObjectURL(picture)), [picture]);
  return (
    <figure class="screen" ref={frame}>
      {picture && <img src={picture} alt={`What ${vm.label} shows on its screen`} />}
      {said !== '' && <figcaption>{said}</figcaption>}
    </figure>
  );
}
