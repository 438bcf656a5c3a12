import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { askVm, now, wordsOf } from '../api.ts';
import { type Action, consequences } from '../model/actions.ts';
import { useAnswer } from '../store.ts';

interface DialogProps {
  title: string;
  /** It was closed, by whatever way. */
  close: () => void;
  children: ComponentChildren;
}

/** A modal dialog. Afterwards the focus is where it was, or on the heading of the buttons if that has gone. */
function Dialog({ title, close, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      else document.getElementById('actions')?.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="asked" onClose={close}>
      <h2 id="asked">{title}</h2>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  action: Action;
  /** The VM's key, which is typed, and its name. */
  name: string;
  label: string;
  confirmed: () => void;
  close: () => void;
}

/** Says what a command does, and asks for it. */
export function Confirm({ action, name, label, confirmed, close }: ConfirmProps) {
  const [typed, type] = useState('');
  const { word } = action;
  const wanted = action.confirm === 'typed';
  const submit = (event: Event) => {
    event.preventDefault();
    if (wanted && typed !== name) return;
    confirmed();
    close();
  };
  return (
    <Dialog title={`${action.name}: ${label}?`} close={close}>
      <p>{consequences[word]}</p>
      {word === 'rebuild' && <Plan name={name} />}
      <form onSubmit={submit}>
        {wanted && (
          <label>
            Type <b>{name}</b> to confirm
            <input
              value={typed}
              onInput={event => type(event.currentTarget.value)}
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
            />
          </label>
        )}
        <div class="row">
          <button type="button" onClick={close}>
            Back
          </button>
          <button type="submit" class={wanted ? 'danger' : 'primary'} disabled={wanted && typed !== name}>
            {action.name}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** What the rebuild would do. */
function Plan({ name }: { name: string }) {
  const answer = useAnswer(signal => askVm('plan', name, {}, signal), [name]);
  if (answer instanceof Error) return <p class="said">{wordsOf(answer)}</p>;
  const { text } = (answer ?? {}) as { text?: string };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys.
    <pre class="log plan" role="log" tabIndex={0} aria-label="Plan" aria-busy={answer === null}>
      {text ?? 'The bridge looks what it would do …'}
    </pre>
  );
}

interface QuietProps {
  set: (options: object) => void;
  close: () => void;
}

const spans = [
  ['1h', '1 hour'],
  ['2h', '2 hours'],
  ['8h', '8 hours'],
] as const;

/** For how long problems are held back. */
export function QuietDialog({ set, close }: QuietProps) {
  const [until, choose] = useState('');
  const choice = (options: object) => {
    set(options);
    close();
  };
  const time = until === '' ? Number.NaN : new Date(until).getTime();
  const submit = (event: Event) => {
    event.preventDefault();
    if (time > now()) choice({ until: new Date(time).toISOString() });
  };
  return (
    <Dialog title="Quiet time" close={close}>
      <p>Until then a problem raises no alarm. The checks go on, and the timeline says that it was quiet.</p>
      <div class="row">
        {spans.map(([value, text]) => (
          <button key={value} type="button" onClick={() => choice({ for: value })}>
            {text}
          </button>
        ))}
      </div>
      <form onSubmit={submit}>
        <label>
          or until
          <input type="datetime-local" value={until} onInput={event => choose(event.currentTarget.value)} />
        </label>
        <div class="row">
          <button type="button" onClick={close}>
            Back
          </button>
          <button type="submit" class="primary" disabled={!(time > now())}>
            Set
          </button>
        </div>
      </form>
    </Dialog>
  );
}
