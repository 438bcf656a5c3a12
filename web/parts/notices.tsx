import { clockAhead } from '../api.ts';
import { duration } from '../model/format.ts';
import type { PageState } from '../store.ts';

/** What is wrong between this page and the guest, at the bottom: it moves nothing that is read. */
export function Notices({ page, again }: { page: PageState; again: () => void }) {
  const { link, live } = page;
  const ahead = clockAhead();
  const { broker = null, libvirt = null, checks = null } = live.bridge ?? {};
  const known = live.bridge !== null;
  const lines: string[] = [];
  if (link.is === 'silent') lines.push('The bridge has been silent for 45 s. Connecting again …');
  if (link.is === 'away' && known) lines.push('The bridge does not answer. What is shown is old. Trying again …');
  if (link.is === 'away' && !known) lines.push('The bridge does not answer. Trying again …');
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
      {link.is === 'away' && (
        <button type="button" onClick={again}>
          Try now
        </button>
      )}
    </div>
  );
}
