import { now } from '../api.ts';
import { clock, percent, size } from '../model/format.ts';
import type { BridgeStatus } from '../model/live.ts';
import { Card, Dot, Facts } from './card.tsx';

/** The bridge itself, at the end of each page. */
export function Bridge({ status, user }: { status: BridgeStatus; user: string | null | undefined }) {
  const { version, instance, base_topic, started_at, broker, libvirt, checks, hosts } = status;
  const part = (trouble: string | null, good: string) => [
    <Dot key="dot" tone={trouble === null ? 'good' : 'bad'} />,
    trouble ?? good,
  ];
  const hostFacts = Object.entries(hosts).map(([name, { up, reason, cpu, memory }]) => {
    const load = `CPU ${percent(cpu)}, memory ${percent(memory.used)} of ${size(memory.total)}`;
    return [`Host ${name}`, part(up ? null : (reason ?? 'away'), cpu === null ? 'connected' : load)] as const;
  });
  const facts = [
    ['Broker', part(broker, 'connected')],
    ['libvirt', part(libvirt, 'connected')],
    ['Checks', part(checks, 'in time')],
    ...hostFacts,
    ['Version', `${version}, since ${clock(started_at, now())}`],
    ['Base topic', `${base_topic}, instance ${instance}`],
    ...(user ? [['You are', user] as const] : []),
  ] as const;
  return (
    <Card id="bridge" title="Bridge">
      <Facts kind="rows" of={facts} />
      <p class="links">
        <a href="api/dump" download>
          Report for an issue
        </a>
        <span class="hint">a file without secrets</span>
      </p>
    </Card>
  );
}
