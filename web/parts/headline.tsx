import type { Answer, VmProps } from '../commands.ts';
import { clock, duration, percent, secondsBetween, size, titled } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { toneOf } from '../model/timeline.ts';
import { useNow } from '../store.ts';
import { Controls } from './controls.tsx';

/** The verdict in words, why, what to do, since when; and the commands. */
export function Headline(props: VmProps & { answers: readonly Answer[] }) {
  const { label, check, host, doctor } = props.vm;
  const now = useNow(30_000);
  const tone = toneOf(check);
  return (
    <section class={`card headline ${tone}`} aria-labelledby="vm">
      <h1 id="vm" tabIndex={-1}>
        {label}
        {host !== null && <small> on {host}</small>}
      </h1>
      <div role="status" aria-live="polite">
        <p class="verdict">
          <span class={`dot ${tone}`} aria-hidden="true" />
          {titled(check.verdict)}
        </p>
        <p class="reason">{check.reason}</p>
        {check.next_step !== null && <p class="next">{check.next_step}</p>}
      </div>
      <p class="hint">
        {check.since === null
          ? 'not checked yet'
          : `since ${clock(check.since, now)}, for ${duration(secondsBetween(check.since, now))}`}
      </p>
      <Facts vm={props.vm} now={now} />
      {doctor?.findings.map(({ code, seen, message, advice }) => (
        <details key={code} class="finding">
          <summary>{message}</summary>
          <p>Seen: {seen}</p>
          <pre class="log">{advice}</pre>
        </details>
      ))}
      <Controls {...props} />
    </section>
  );
}

function Facts({ vm: { state, stats, check, guest }, now }: { vm: Vm; now: number }) {
  const power = titled(state.power?.toLowerCase() ?? null);
  const runs = state.power === 'ON' ? secondsBetween(state.started_at, now) : null;
  const { memory } = stats;
  const address = check.dsm?.address ?? check.address ?? null;
  const port = check.reachable ? check.dsm?.http_port : null;
  const facts: (readonly [string, string])[] = [
    ['Power', runs === null ? power : `${power}, for ${duration(runs)}`],
    ['CPU', `${percent(stats.cpu.percent)} of ${state.vcpus ?? '–'} vCPUs`],
    ['Memory', `${percent(memory.used_percent)} of ${size(state.memory)}`],
    ['Answers in', check.latency_ms === null ? '–' : `${check.latency_ms.toFixed(check.latency_ms < 10 ? 1 : 0)} ms`],
  ];
  if (guest === 'dsm') {
    const { model, version, update } = check.dsm ?? { model: null, version: null, update: null };
    facts.push(['DSM', model === null ? '–' : `${model}, ${version ?? '–'}${update ? ` Update ${update}` : ''}`]);
  }
  return (
    <dl class={stats.stale ? 'facts stale' : 'facts'}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
      <div>
        <dt>Address</dt>
        <dd>{address && port ? <a href={`http://${address}:${port}/`}>{address}</a> : (address ?? '–')}</dd>
      </div>
    </dl>
  );
}
