import { useState } from 'preact/hooks';
import { isUnderWay } from '../../src/model/loader.ts';
import type { Send } from '../commands.ts';
import { type Action, loaderActionsOf } from '../model/actions.ts';
import { clock, duration } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { useNow } from '../store.ts';
import { Card } from './card.tsx';
import { Log } from './console.tsx';
import { Confirm } from './dialogs.tsx';
import { loaderPhase, loaderSteps } from './words.ts';

interface Props {
  name: string;
  vm: Vm;
  connected: boolean;
  send: Send;
}

/** The loader: what it is, the rebuild as steps, its log, and the commands. */
export function LoaderCard({ name, vm, connected, send }: Props) {
  const [asked, ask] = useState<Action | null>(null);
  const now = useNow(30_000);
  const { loader } = vm;
  if (!loader) return null;
  const { phase, ended_at, elapsed_seconds, error, next_step, backup, log } = loader;
  const under = isUnderWay(loader);
  const { name: kind, version } = loader.loader;
  return (
    <Card id="loader" title="Loader" beside={<span class="hint">{[kind, version].filter(Boolean).join(' ')}</span>}>
      <p>
        {loaderPhase(phase)}
        {!under && ended_at !== null && (
          <span class="hint">
            {' '}
            {clock(ended_at, now)}, it took {duration(elapsed_seconds)}
          </span>
        )}
      </p>
      {error !== null && <p class="said">{error}</p>}
      {next_step !== null && <p class="next">{next_step}</p>}
      {under && <Steps loader={loader} />}
      {(under || log.length > 0) && <Log lines={log} label="Log of the rebuild" empty="Its output comes here." />}
      <p class="hint">
        For {loader.wanted.model}, {loader.wanted.version}
        {backup.file !== null && `; backup of ${clock(backup.at, now)}`}
      </p>
      <fieldset class="row" disabled={!connected}>
        <legend class="unseen">Commands to the loader</legend>
        {loaderActionsOf(vm).map(action => (
          <button key={action.word} type="button" class="danger" onClick={() => ask(action)}>
            {action.name} …
          </button>
        ))}
      </fieldset>
      {asked && (
        <Confirm
          action={asked}
          name={name}
          label={vm.label}
          confirmed={() => void send(asked.word, { confirm: true })}
          close={() => ask(null)}
        />
      )}
    </Card>
  );
}

/** The phases in their order, as far as it is a rebuild. */
function Steps({ loader: { phase, percent, step } }: { loader: NonNullable<Vm['loader']> }) {
  const known = Object.entries(loaderSteps);
  const at = known.findIndex(([each]) => each === phase);
  return (
    <>
      <progress max={100} value={percent ?? undefined} aria-label="Progress" />
      <p class="hint" role="status">
        {percent !== null && `${percent} %. `}
        {step}
      </p>
      <ol class="steps">
        {known.map(([each, text], index) => (
          <li
            key={each}
            class={index < at ? 'done' : index === at ? 'current' : 'pending'}
            aria-current={index === at ? 'step' : undefined}
          >
            {text}
          </li>
        ))}
      </ol>
    </>
  );
}
