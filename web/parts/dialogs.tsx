import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { askVm, now, wordsOf } from '../api.ts';
import { type Action, consequences } from '../model/actions.ts';
import { useAnswer } from '../store.ts';
import { Button } from './card.tsx';

interface DialogProps {
  title: string;
  /** What the button of the form says, and does if the form is `ready`. */
  submit: string;
  tone: 'primary' | 'danger';
  ready: boolean;
  done: () => void;
  /** It was closed, by whatever way. */
  close: () => void;
  children: ComponentChildren;
}

/** A modal dialog. Afterwards the focus is where it was, or on the heading of the buttons if that has gone. */
function Dialog({ title, submit, tone, ready, done, close, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      const back = before instanceof HTMLElement && before.isConnected ? before : document.getElementById('actions');
      back?.focus();
    };
  }, []);
  const submitted = (event: Event) => {
    event.preventDefault();
    if (!ready) return;
    done();
    close();
  };
  return (
    <dialog ref={dialog} aria-labelledby="asked" onClose={close}>
      <h2 id="asked">{title}</h2>
      <form onSubmit={submitted}>
        {children}
        <div class="row end">
          <Button press={close}>Back</Button>
          <button type="submit" class={tone} disabled={!ready}>
            {submit}
          </button>
        </div>
      </form>
    </dialog>
  );
}

interface ConfirmProps {
  action: Action;
  /** The VM's key, which is typed, and its name. */
  name: string;
  label: string;
  /** With what the bridge wants to have been typed. */
  confirmed: (options: object) => void;
  close: () => void;
}

/** Says what a command does, and asks for it. */
export function Confirm({ action, name, label, confirmed, close }: ConfirmProps) {
  const [typed, type] = useState('');
  const wanted = action.confirm === 'typed';
  const common = { close, submit: action.name, done: () => confirmed(wanted ? { typed } : {}) };
  return (
    <Dialog
      {...common}
      title={`${action.name}: ${label}?`}
      tone={wanted ? 'danger' : 'primary'}
      ready={!wanted || typed === name}
    >
      <p>{consequences[action.word]}</p>
      {action.word === 'rebuild' && <Plan name={name} />}
      {wanted && (
        <label>
          Type <b>{name}</b> to confirm
          <input
            value={typed}
            onInput={event => type(event.currentTarget.value.trim())}
            {...{ autocomplete: 'off', autocapitalize: 'off', spellcheck: false }}
          />
        </label>
      )}
    </Dialog>
  );
}

/** What the rebuild would do. */
function Plan({ name }: { name: string }) {
  const answer = useAnswer(signal => askVm('plan', name, {}, signal), [name]);
  const { text } = (answer ?? {}) as { text?: string };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys.
    <pre class="log plan" role="log" tabIndex={0} aria-label="Plan" aria-busy={answer === null}>
      {answer instanceof Error ? wordsOf(answer) : (text ?? 'The bridge looks what it would do …')}
    </pre>
  );
}

/** For how long problems are held back. */
export function QuietDialog({ set, close }: { set: (options: object) => void; close: () => void }) {
  const [until, choose] = useState('');
  const time = until === '' ? Number.NaN : new Date(until).getTime();
  const span = (value: string) => {
    set({ for: value });
    close();
  };
  const done = () => set({ until: new Date(time).toISOString() });
  return (
    <Dialog title="Quiet time" submit="Set" tone="primary" ready={time > now()} done={done} close={close}>
      <p>Until then a problem raises no alarm. The checks go on, and the timeline says that it was quiet.</p>
      <div class="row">
        {[1, 2, 8].map(hours => (
          <Button key={hours} press={() => span(`${hours}h`)}>{`${hours} h`}</Button>
        ))}
      </div>
      <label>
        or until
        <input type="datetime-local" value={until} onInput={event => choose(event.currentTarget.value)} />
      </label>
    </Dialog>
  );
}
