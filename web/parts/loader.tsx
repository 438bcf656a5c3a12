import { isUnderWay, loaderPhases } from '../../src/model/loader.ts';
import { now } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { clock, duration, spaced, titled } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { Card } from './card.tsx';
import { Log } from './console.tsx';
import { Buttons } from './controls.tsx';

/** The loader: what it is, the rebuild as steps, its log, and the commands. */
export function LoaderCard(props: VmProps) {
  const { loader } = props.vm;
  if (!loader) return null;
  const { phase, ended_at, elapsed_seconds, error, next_step, backup, log } = loader;
  const under = isUnderWay(loader);
  const { name: kind, version } = loader.loader;
  return (
    <Card id="loader" title="Loader" beside={<span class="hint">{[kind, version].filter(Boolean).join(' ')}</span>}>
      <p>
        {under ? titled(phase) : phase === 'idle' ? 'No rebuild yet.' : `Last rebuild: ${spaced(phase)}.`}
        {!under && ended_at !== null && (
          <span class="hint">{` ${clock(ended_at, now())}, it took ${duration(elapsed_seconds)}`}</span>
        )}
      </p>
      {error !== null && <p class="said">{error}</p>}
      {next_step !== null && <p class="next">{next_step}</p>}
      {under && <Steps loader={loader} />}
      {(under || error !== null) && <Log lines={log} label="Log of the rebuild" empty="Its output comes here." />}
      <p class="hint">
        For {loader.wanted.model}, {loader.wanted.version}
        {backup.file !== null && `; backup of ${clock(backup.at, now())}`}
      </p>
      <fieldset class="row" disabled={!props.connected}>
        <legend class="unseen">Commands to the loader</legend>
        <Buttons {...props} at="loader" />
      </fieldset>
    </Card>
  );
}

/** Of a rebuild that goes well. */
const steps = loaderPhases.slice(loaderPhases.indexOf('preflight'), loaderPhases.indexOf('rolling_back'));

/** The phases in their order, as far as it is a rebuild. */
function Steps({ loader: { phase, percent, step } }: { loader: NonNullable<Vm['loader']> }) {
  const at = steps.indexOf(phase);
  return (
    <>
      <progress max={100} value={percent ?? undefined} aria-label="Progress" />
      <p class="hint" role="status">
        {percent !== null && `${percent} %. `}
        {step}
      </p>
      <ol class="steps">
        {steps.map((each, index) => (
          <li key={each} class={index < at ? 'done' : ''} aria-current={index === at && 'step'}>
            {titled(each)}
          </li>
        ))}
      </ol>
    </>
  );
}
