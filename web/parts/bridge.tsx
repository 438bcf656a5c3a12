import { clock, percent, size } from '../model/format.ts';
import type { BridgeStatus } from '../model/live.ts';
import { useNow } from '../store.ts';
import { Card } from './card.tsx';

/** The bridge itself, at the end of each page. */
export function Bridge({ status, user }: { status: BridgeStatus; user: string | null }) {
  const { version, instance, base_topic, started_at, broker, libvirt, checks, hosts } = status;
  const now = useNow(60_000);
  const fact = (name: string, text: string, tone?: 'good' | 'bad') => (
    <div key={name}>
      <dt>{name}</dt>
      <dd>
        {tone && <span class={`dot ${tone}`} aria-hidden="true" />}
        {text}
      </dd>
    </div>
  );
  const part = (name: string, trouble: string | null, good: string) =>
    fact(name, trouble ?? good, trouble === null ? 'good' : 'bad');
  return (
    <Card id="bridge" title="Bridge">
      <dl class="rows">
        {part('Broker', broker, 'connected')}
        {part('libvirt', libvirt, 'connected')}
        {part('Checks', checks, 'in time')}
        {Object.entries(hosts).map(([name, host]) =>
          part(
            `Host ${name}`,
            host.up ? null : (host.reason ?? 'away'),
            host.cpu === null
              ? 'connected'
              : `CPU ${percent(host.cpu)}, memory ${percent(host.memory.used)} of ${size(host.memory.total)}`,
          ),
        )}
        {fact('Version', `${version}, since ${clock(started_at, now)}`)}
        {fact('Base topic', `${base_topic}, instance ${instance}`)}
        {user !== null && fact('You are', user)}
      </dl>
      <p class="links">
        <a href="api/dump" download>
          Report for an issue
        </a>
        <span class="hint">a file without secrets</span>
      </p>
    </Card>
  );
}
