import { now } from '../api.ts';
import type { VmProps } from '../commands.ts';
import { clock, duration, number, percent, secondsBetween, size, titled } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { toneOf } from '../model/timeline.ts';
import { Dot, Facts } from './card.tsx';
import { Controls } from './controls.tsx';

/** The verdict in words, why, what to do, since when; and the commands. */
export function Headline(props: VmProps) {
  const { label, check, host, doctor, stats } = props.vm;
  const { since } = check;
  const held = secondsBetween(since, now());
  return (
    <section class="card headline" aria-labelledby="vm">
      <h1 id="vm" tabIndex={-1}>
        {label}
        {host !== null && <small> on {host}</small>}
      </h1>
      <div role="status" aria-live="polite">
        <p class="verdict">
          <Dot tone={toneOf(check)} />
          {titled(check.verdict)}
        </p>
        <p class="reason">{check.reason}</p>
        {check.next_step !== null && <p class="next">{check.next_step}</p>}
      </div>
      <p class="hint">{since === null ? 'not checked yet' : `since ${clock(since, now())}, for ${duration(held)}`}</p>
      <Facts kind={stats.stale ? 'facts stale' : 'facts'} of={factsOf(props.vm)} />
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

function factsOf({ state, stats, check, guest }: Vm) {
  const power = titled(state.power?.toLowerCase() ?? null);
  const runs = state.power === 'ON' ? secondsBetween(state.started_at, now()) : null;
  const { model = null, version, update, http_port: port } = check.dsm ?? {};
  const address = check.dsm?.address ?? check.address;
  const dsm = model === null ? '–' : `${model}, ${version ?? '–'}${update ? ` Update ${update}` : ''}`;
  const link = check.reachable && address && port ? <a href={`http://${address}:${port}/`}>{address}</a> : null;
  return [
    ['Power', runs === null ? power : `${power}, for ${duration(runs)}`],
    ['CPU', `${percent(stats.cpu.percent)} of ${state.vcpus ?? '–'} vCPUs`],
    ['Memory', `${percent(stats.memory.used_percent)} of ${size(state.memory)}`],
    ['Answers in', check.latency_ms === null ? '–' : `${number(check.latency_ms)} ms`],
    ...(guest === 'dsm' ? [['DSM', dsm] as const] : []),
    ['Address', link ?? address ?? '–'],
  ] as const;
}
