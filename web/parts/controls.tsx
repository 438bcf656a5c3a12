import { useMemo } from 'preact/hooks';
import { now } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { type Action, actionsOf, canCancel } from '../model/actions.ts';
import { clock, duration, spaced, titled } from '../model/format.ts';
import { Button } from './card.tsx';

/** Those that belong there, and make sense now. */
export function Buttons({ vm, press, at }: VmProps & Pick<Action, 'at'>) {
  const tones = { once: at === 'first' ? 'primary' : '', asked: '', typed: 'danger' };
  return actionsOf(vm, at).map(action => (
    <button key={action.word} type="button" class={tones[action.confirm]} onClick={() => press(action)}>
      {action.confirm === 'once' ? action.name : `${action.name} …`}
    </button>
  ));
}

/** The buttons, what is under way, and what was answered. */
export function Controls(props: VmProps) {
  const { vm, connected } = props;
  return (
    <section class="controls" aria-labelledby="actions">
      <h2 id="actions" class="unseen">
        Commands
      </h2>
      <fieldset disabled={!connected}>
        <legend class="unseen">Commands to {vm.label}</legend>
        <div class="row buttons">
          <Buttons {...props} at="first" />
          <Quiet {...props} />
          {actionsOf(vm, 'more').length > 0 && (
            <details class="more">
              <summary>More</summary>
              <div class="row">
                <Buttons {...props} at="more" />
              </div>
            </details>
          )}
        </div>
        {(vm.state.activity !== 'none' || vm.state.phase !== null) && <Work {...props} />}
      </fieldset>
      <Answers {...props} />
    </section>
  );
}

/** The job: what it does, until when, and the end of it. */
function Work({ vm, send }: VmProps) {
  const { activity, phase, deadline, attempt, start_after_off } = vm.state;
  // As long as it was told to be, even if the bridge's clock is set meanwhile.
  const end = useMemo(() => performance.now() + Date.parse(deadline ?? '') - now(), [deadline]);
  const left = deadline === null ? null : (end - performance.now()) / 1_000;
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

function Answers({ answers, vm }: VmProps) {
  const hint = vm.commands.length > 0 ? 'Answers to commands come here.' : 'No command is permitted for this VM.';
  return (
    <div role="status" aria-live="polite">
      <ul class="answers">
        {answers.length === 0 && <li class="hint">{hint}</li>}
        {answers.map(({ id, word, status, message }) => (
          <li key={id} class={status}>
            <b>{spaced(word)}</b> {status}: {message}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Quiet(props: VmProps) {
  const { send, vm } = props;
  const { until, by } = vm.quiet;
  if (until === null) return <Buttons {...props} at="quiet" />;
  return (
    <span class="until">
      {`Quiet until ${clock(until, now())}${by === null ? '' : `, by ${by}`}`}
      {vm.commands.includes('quiet') && <Button press={() => void send('quiet', { enabled: false })}>End it</Button>}
    </span>
  );
}
