import { now } from '../api.ts';
import type { PageState } from '../link.ts';
import { clock, duration, percent, size } from '../model/format.ts';
import type { BridgeStatus } from '../model/live.ts';
import { Button, Card, Dot, Facts } from './card.tsx';

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
      <p class="row">
        <a href="api/dump" download>
          Report for an issue
        </a>
        <span class="hint">a file without secrets</span>
      </p>
    </Card>
  );
}

/** What is wrong between this page and the guest, at the bottom: it moves nothing that is read. */
export function Notices({ live: { bridge }, link: { is, said }, again }: PageState & { again: () => void }) {
  const ahead = (Date.now() - now()) / 1_000;
  const way = ahead > 0 ? 'ahead of' : 'behind';
  const { libvirt = null, broker = null, checks = null } = (is === 'live' && bridge) || {};
  const old = bridge ? ' What is shown is old.' : '';
  const lines = [
    is === 'silent' && 'The bridge has been silent for 45 s. Connecting again …',
    is === 'away' && `${said ?? 'The bridge does not answer.'}${old} Trying again …`,
    libvirt !== null && `libvirt is away, so what is shown may be old: ${libvirt}`,
    broker !== null && `The broker is away, so nothing is published: ${broker}`,
    checks !== null && `Checks are late: ${checks}`,
    Math.abs(ahead) > 30 &&
      `This device's clock is ${duration(Math.abs(ahead))} ${way} the bridge's. Times here are the bridge's.`,
  ];
  return (
    <div class="notices" role="status" aria-live="polite">
      {lines.map(line => line && <p key={line.slice(0, 12)}>{line}</p>)}
      {is === 'away' && <Button press={again}>Try now</Button>}
    </div>
  );
}
