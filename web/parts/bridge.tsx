import { pathOf } from '../api.ts';
import { clock, percent, size } from '../model/format.ts';
import type { BridgeStatus, Vm } from '../model/live.ts';
import { useNow } from '../store.ts';
import { Card } from './card.tsx';

/** The bridge itself, at the end of each page. */
export function Bridge({ status, vms }: { status: BridgeStatus; vms: readonly (readonly [string, Vm])[] }) {
  const { version, instance, base_topic, started_at, user, broker, libvirt, checks, hosts } = status;
  const now = useNow(60_000);
  const row = (name: string, trouble: string | null, good: string) => (
    <div>
      <dt>{name}</dt>
      <dd>
        <span class={`dot ${trouble === null ? 'good' : 'bad'}`} aria-hidden="true" />
        {trouble ?? good}
      </dd>
    </div>
  );
  return (
    <Card id="bridge" title="Bridge">
      <dl class="rows">
        {row('Broker', broker, 'connected')}
        {row('libvirt', libvirt, 'connected')}
        {row('Checks', checks, 'in time')}
        {Object.entries(hosts).map(([name, host]) =>
          row(
            `Host ${name}`,
            host.up ? null : (host.reason ?? 'away'),
            `CPU ${percent(host.cpu)}, memory ${percent(host.memory.used)} of ${size(host.memory.total)}`,
          ),
        )}
        <div>
          <dt>Version</dt>
          <dd>
            {version}, since {clock(started_at, now)}
          </dd>
        </div>
        <div>
          <dt>Base topic</dt>
          <dd>
            {base_topic}, instance {instance}
          </dd>
        </div>
        {user !== null && (
          <div>
            <dt>You are</dt>
            <dd>{user}</dd>
          </div>
        )}
      </dl>
      <p class="links">
        {vms.map(([key, { label }]) => (
          <a key={key} href={pathOf('dump', key)} download>
            Report on {label}
          </a>
        ))}
        <span class="hint">a text file for an issue; it has no secrets in it</span>
      </p>
    </Card>
  );
}
