import { percent, titled } from '../model/format.ts';
import type { Vm } from '../model/live.ts';
import { toneOf } from '../model/timeline.ts';
import { Dot } from './card.tsx';

interface Props {
  vms: readonly (readonly [string, Vm])[];
  /** A key in the address that no VM has; null: none. */
  missing: string | null;
}

/** All VMs, a card each. */
export function Overview({ vms, missing }: Props) {
  return (
    <>
      <h1 tabIndex={-1}>VMs</h1>
      {missing !== null && <p class="said">There is no VM with the key {missing} here.</p>}
      <ul class="cards">
        {vms.map(([key, { label, host, state, check, stats }]) => (
          <li key={key} class="card">
            <h2>
              <a href={`#/${key}`}>{label}</a>
              {host !== null && <small> on {host}</small>}
            </h2>
            <p class="verdict">
              <Dot tone={toneOf(check)} />
              {titled(check.verdict)}
            </p>
            <p class="reason">{check.reason}</p>
            <p class="facts">
              <span>Power {state.power?.toLowerCase() ?? 'not known'}</span>
              <span>CPU {percent(stats.cpu.percent)}</span>
              <span>Memory {percent(stats.memory.used_percent)}</span>
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}
