import { useEffect, useRef, useState } from 'preact/hooks';
import { now } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { useAnswer } from '../hooks.ts';
import { type Action, consequences } from '../model/actions.ts';

interface Props extends VmProps {
  action: Action;
  /** It was closed, by whatever way. */
  close: () => void;
}

/** Says what a command does, and asks for it, and for what it needs. */
export function Asked({ action: { word, name: title, confirm }, name, vm, send, close }: Props) {
  const dialog = useModal();
  const [entered, enter] = useState('');
  const isQuiet = word === 'quiet';
  const isReady = isQuiet ? Date.parse(entered) > now() : confirm === 'asked' || entered === name;
  const give = (options: object) => {
    void send(word, options);
    close();
  };
  const submitted = (event: Event) => {
    event.preventDefault();
    if (isReady) give(isQuiet ? { until: new Date(entered).toISOString() } : { typed: entered });
  };
  const field = { value: entered, onInput: (event: InputEvent) => enter((event.target as HTMLInputElement).value) };
  return (
    <dialog ref={dialog} aria-labelledby="asked" onClose={close}>
      <h2 id="asked">{isQuiet ? title : `${title}: ${vm.label}?`}</h2>
      <form onSubmit={submitted}>
        <p>{consequences[word]}</p>
        {word === 'rebuild' && <Plan name={name} />}
        {confirm === 'typed' && (
          <label>
            Type <b>{name}</b> to confirm
            <input {...field} autocomplete="off" autocapitalize="off" spellcheck={false} />
          </label>
        )}
        {isQuiet && (
          <>
            <div class="row">
              {['1 h', '2 h', '8 h'].map(span => (
                <button key={span} type="button" onClick={() => give({ for: span.replace(' ', '') })}>
                  {span}
                </button>
              ))}
            </div>
            <label>
              or until
              <input {...field} type="datetime-local" />
            </label>
          </>
        )}
        <div class="row end">
          <button type="button" onClick={close}>
            Back
          </button>
          <button type="submit" class={confirm === 'typed' ? 'danger' : 'primary'} disabled={!isReady}>
            {isQuiet ? 'Set' : title}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A modal dialog. Afterwards the focus is where it was, or on the heading of the buttons if that has gone. */
function useModal() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      const back = before instanceof HTMLElement && before.isConnected ? before : document.getElementById('actions');
      back?.focus();
    };
  }, []);
  return dialog;
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
