import { useState } from 'preact/hooks';
import type { Answer, Send } from '../commands.ts';
import { type Action, actionsOf, canCancel } from '../model/actions.ts';
import { clock, duration, spaced } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { useNow } from '../store.ts';
import { Confirm, QuietDialog } from './dialogs.tsx';
import { activities, phases } from './words.ts';

interface Props {
  name: string;
  vm: Vm;
  connected: boolean;
  send: Send;
  answers: readonly Answer[];
}

/** The buttons, what is under way, and what was answered. */
export function Controls({ name, vm, connected, send, answers }: Props) {
  const [asked, ask] = useState<Action | null>(null);
  const actions = actionsOf(vm);
  const press = (action: Action) => (action.confirm === 'once' ? void send(action.word) : ask(action));
  const more = actions.filter(({ first }) => !first);
  const button = (action: Action) => (
    <button
      key={action.word}
      type="button"
      class={action.first ? 'primary' : action.confirm === 'typed' ? 'danger' : ''}
      onClick={() => press(action)}
    >
      {action.name}
      {action.confirm === 'once' ? '' : ' …'}
    </button>
  );
  return (
    <section class="controls" aria-labelledby="actions">
      <h2 id="actions" class="unseen" tabIndex={-1}>
        Commands
      </h2>
      <fieldset disabled={!connected}>
        <legend class="unseen">Commands to {vm.label}</legend>
        <div class="row buttons">
          {actions.filter(({ first }) => first).map(button)}
          <Quiet vm={vm} send={send} />
          {more.length > 0 && (
            <details class="more">
              <summary>More</summary>
              <div class="row">{more.map(button)}</div>
            </details>
          )}
        </div>
        <Work vm={vm} send={send} />
      </fieldset>
      <Answers answers={answers} permitted={vm.commands.length > 0} />
      {asked && (
        <Confirm
          action={asked}
          name={name}
          label={vm.label}
          confirmed={() => void send(asked.word)}
          close={() => ask(null)}
        />
      )}
    </section>
  );
}

/** The job: what it does, until when, and the end of it. */
function Work({ vm, send }: Pick<Props, 'vm' | 'send'>) {
  const { activity, phase, deadline, attempt, start_after_off } = vm.state;
  const under = activity !== 'none' || phase !== null;
  const now = useNow(under ? 1_000 : null);
  if (!under) return null;
  const left = deadline === null ? null : (Date.parse(deadline) - now) / 1_000;
  const parts = [
    phase && phases[phase],
    attempt !== null && attempt > 1 && `asked ${attempt} times`,
    start_after_off && 'it is started afterwards',
  ];
  return (
    <div class="work">
      <p>
        <b>{activities[activity]}</b>
        <span> {parts.filter(Boolean).join(', ')}</span>
      </p>
      {left !== null && (
        <p class="count" role="timer" aria-label="Time left">
          {left > 0 ? duration(left) : 'time is up'}
        </p>
      )}
      {canCancel(vm) && (
        <button type="button" onClick={() => void send('cancel')}>
          Cancel
        </button>
      )}
    </div>
  );
}

function Answers({ answers, permitted }: { answers: readonly Answer[]; permitted: boolean }) {
  return (
    <ul class="answers" role="status" aria-live="polite">
      {answers.length === 0 && (
        <li class="hint">
          {permitted ? 'Answers to commands come here.' : 'This bridge only shows; it takes no command.'}
        </li>
      )}
      {answers.map(({ id, word, status, message }) => (
        <li key={id} class={status}>
          <b>{spaced(word)}</b> {status === 'sent' || status === 'lost' ? '' : `${status}: `}
          {message}
        </li>
      ))}
    </ul>
  );
}

function Quiet({ vm, send }: Pick<Props, 'vm' | 'send'>) {
  const [asked, ask] = useState(false);
  const now = useNow(30_000);
  const { until = null, by = null } = vm.quiet ?? {};
  const permitted = vm.commands.includes('quiet');
  if (until === null) {
    return permitted ? (
      <>
        <button type="button" onClick={() => ask(true)}>
          Quiet time …
        </button>
        {asked && <QuietDialog set={options => void send('quiet', options)} close={() => ask(false)} />}
      </>
    ) : null;
  }
  return (
    <span class="quiet">
      Quiet until {clock(until, now)}
      {by !== null && `, by ${by}`}
      {permitted && (
        <button type="button" onClick={() => void send('quiet', { for: '0s' })}>
          End it
        </button>
      )}
    </span>
  );
}
