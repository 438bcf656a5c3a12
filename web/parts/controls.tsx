import { useState } from 'preact/hooks';
import type { Answer, VmProps } from '../commands.ts';
import { type Action, actionsOf, canCancel } from '../model/actions.ts';
import { clock, duration, spaced, titled } from '../model/format.ts';
import { useNow } from '../store.ts';
import { Button } from './card.tsx';
import { Confirm, QuietDialog } from './dialogs.tsx';

type Props = VmProps & { answers: readonly Answer[] };

function toneOf({ confirm, first }: Action): string | undefined {
  return confirm === 'typed' ? 'danger' : confirm === 'once' && first ? 'primary' : undefined;
}

/** The buttons, what is under way, and what was answered. */
export function Controls({ name, vm, connected, send, answers }: Props) {
  const [asked, ask] = useState<Action | null>(null);
  const actions = actionsOf(vm);
  const press = (action: Action) => (action.confirm === 'once' ? void send(action.word) : ask(action));
  const more = actions.filter(({ first }) => !first);
  const button = (action: Action) => (
    <Button key={action.word} tone={toneOf(action)} press={() => press(action)}>
      {action.confirm === 'once' ? action.name : `${action.name} …`}
    </Button>
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
          confirmed={options => void send(asked.word, options)}
          close={() => ask(null)}
        />
      )}
    </section>
  );
}

/** The job: what it does, until when, and the end of it. */
function Work({ vm, send }: Pick<VmProps, 'vm' | 'send'>) {
  const { activity, phase, deadline, attempt, start_after_off } = vm.state;
  const under = activity !== 'none' || phase !== null;
  const now = useNow(under ? 1_000 : null);
  if (!under) return null;
  const left = deadline === null ? null : (Date.parse(deadline) - now) / 1_000;
  const parts = [
    phase && spaced(phase),
    attempt !== null && attempt > 1 && `asked ${attempt} times`,
    start_after_off && 'it is started afterwards',
  ];
  return (
    <div class="work">
      <p>
        <b>{activity === 'none' ? 'A command is under way' : titled(activity)}</b>
        <span>{parts.filter(Boolean).map(part => `, ${part}`)}</span>
      </p>
      {left !== null && (
        <p class="count" role="timer" aria-label="Time left">
          {left > 0 ? duration(left) : 'time is up'}
        </p>
      )}
      {canCancel(vm) && <Button press={() => void send('cancel')}>Cancel</Button>}
    </div>
  );
}

function Answers({ answers, permitted }: { answers: readonly Answer[]; permitted: boolean }) {
  return (
    <div role="status" aria-live="polite">
      <ul class="answers">
        {answers.length === 0 && (
          <li class="hint">
            {permitted ? 'Answers to commands come here.' : 'This bridge only shows; it takes no command.'}
          </li>
        )}
        {answers.map(({ id, word, status, message }) => (
          <li key={id} class={status}>
            <b>{spaced(word)}</b> {status}: {message}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Quiet({ vm, send }: Pick<VmProps, 'vm' | 'send'>) {
  const [asked, ask] = useState(false);
  const now = useNow(30_000);
  const { until = null, by = null } = vm.quiet ?? {};
  const permitted = vm.commands.includes('quiet');
  if (until === null && !permitted) return null;
  if (until === null) {
    return (
      <>
        <Button press={() => ask(true)}>Quiet time …</Button>
        {asked && <QuietDialog set={options => void send('quiet', options)} close={() => ask(false)} />}
      </>
    );
  }
  return (
    <span class="until">
      {`Quiet until ${clock(until, now)}${by === null ? '' : `, by ${by}`}`}
      {permitted && <Button press={() => void send('quiet', { enabled: false })}>End it</Button>}
    </span>
  );
}
