import { clockAhead } from '../api.ts';
import type { LinkState } from '../link.ts';
import { duration } from '../model/format.ts';
import type { BridgeStatus } from '../model/live.ts';

interface Props {
  link: LinkState;
  bridge: BridgeStatus | null;
  again: () => void;
}

/** What is wrong between this page and the guest, at the bottom: it moves nothing that is read. */
export function Notices({ link: { is, said }, bridge, again }: Props) {
  const ahead = clockAhead();
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
      {is === 'away' && (
        <button type="button" onClick={again}>
          Try now
        </button>
      )}
    </div>
  );
}
