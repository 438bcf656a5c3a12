import type { TargetedInputEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { now } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { useAnswer } from '../hooks.ts';
import { type Action, consequences } from '../model/actions.ts';
import { Button } from './card.tsx';

interface Props extends VmProps {
  action: Action;
  /** It was closed, by whatever way; the browser has put the focus back. */
  close: () => void;
}

/** Says what a command does, and asks for it, and for what it needs. */
export function Asked({ action: { word, name: title, confirm }, name, vm, send, close }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const [entered, enter] = useState('');
  const isQuiet = word === 'quiet';
  const isReady = isQuiet ? Date.parse(entered) > now() : confirm === 'asked' || entered === name;
  const give = (options: object) => {
    void send(word, options);
    dialog.current?.close();
  };
  const submitted = (event: Event) => {
    event.preventDefault();
    if (isReady) give(isQuiet ? { until: new Date(entered).toISOString() } : { typed: entered });
  };
  const typed = (event: TargetedInputEvent<HTMLInputElement>) => enter(event.currentTarget.value.trim());
  return (
    <dialog ref={dialog} aria-labelledby="asked" onClose={close}>
      <h2 id="asked">{isQuiet ? title : `${title}: ${vm.label}?`}</h2>
      <form onSubmit={submitted}>
        <p>{consequences[word]}</p>
        {word === 'rebuild' && <Plan name={name} />}
        {confirm === 'typed' && (
          <label>
            Type <b>{name}</b> to confirm
            <input value={entered} onInput={typed} autocomplete="off" autocapitalize="off" spellcheck={false} />
          </label>
        )}
        {isQuiet && (
          <>
            <div class="row">
              {['1 h', '2 h', '8 h'].map(span => (
                <Button key={span} press={() => give({ for: span.replace(' ', '') })}>
                  {span}
                </Button>
              ))}
            </div>
            <label>
              or until
              <input value={entered} onInput={typed} type="datetime-local" />
            </label>
          </>
        )}
        <div class="row end">
          <Button press={() => dialog.current?.close()}>Back</Button>
          <button type="submit" class={confirm === 'typed' ? 'danger' : 'primary'} disabled={!isReady}>
            {isQuiet ? 'Set' : title}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** What the rebuild would do. */
function Plan({ name }: { name: string }) {
  const { value, error } = useAnswer<{ text: string }>('plan', { vm: name });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys.
    <pre class="log" role="log" tabIndex={0} aria-label="Plan" aria-busy={!value && !error}>
      {error ?? value?.text ?? 'The bridge looks what it would do …'}
    </pre>
  );
}
