import { clockAhead } from '../api.ts';
import { duration } from '../model/format.ts';
import type { PageState } from '../store.ts';
import { Button } from './card.tsx';

/** What is wrong between this page and the guest, at the bottom: it moves nothing that is read. */
export function Notices({ page, again }: { page: PageState; again: () => void }) {
  const { link, live } = page;
  const ahead = clockAhead();
  const { broker = null, libvirt = null, checks = null } = live.bridge ?? {};
  const lines: string[] = [];
  if (link.is === 'silent') lines.push('The bridge has been silent for 45 s. Connecting again …');
  if (link.is === 'away') {
    const old = live.bridge ? ' What is shown is old.' : '';
    lines.push(`${link.said ?? 'The bridge does not answer.'}${old} Trying again …`);
  }
  if (link.is === 'live') {
    if (libvirt !== null) lines.push(`libvirt is away, so what is shown may be old: ${libvirt}`);
    if (broker !== null) lines.push(`The broker is away, so nothing is published: ${broker}`);
    if (checks !== null) lines.push(`Checks are late: ${checks}`);
  }
  if (Math.abs(ahead) > 30) {
    const way = ahead > 0 ? 'ahead of' : 'behind';
    lines.push(`This device's clock is ${duration(Math.abs(ahead))} ${way} the bridge's. Times here are the bridge's.`);
  }
  return (
    <div class="notices" role="status" aria-live="polite">
      {lines.map(line => (
        <p key={line.slice(0, 12)}>{line}</p>
      ))}
      {link.is === 'away' && <Button press={again}>Try now</Button>}
    </div>
  );
}
