import { fullVersion } from '../../model/check.ts';
import { formatDuration } from '../../util/duration.ts';
import type { Findhost } from '../findhost/client.ts';
import { meaningOf } from '../findhost/states.ts';
import { bare, type Findings, type Limits } from '../finding.ts';

/** Asks Synology's discovery for one VM: only this probe hears from DSM itself while it boots or updates. */

export interface DiscoveryTarget {
  /** The MACs of its network cards: lower case with colons. */
  macs: readonly string[];
  /** IPv4 addresses that are known to belong to one of the MACs. */
  addresses: readonly string[];
  /** It has answered before, so its silence has a meaning. */
  answeredBefore: boolean;
}

/** What is asked of, for people. */
const what = "Synology's discovery (UDP port 9999)";

/** Rejects only when `limits.signal` aborts. */
export async function discovery(
  findhost: Pick<Findhost, 'find'>,
  { macs, addresses, answeredBefore }: DiscoveryTarget,
  { timeout, signal }: Limits,
): Promise<Findings['discovery']> {
  if (macs.length + addresses.length === 0) {
    return bare('discovery', 'not_applicable', 'No network card of the VM is known by which its answer could be told.');
  }
  const found = await findhost.find({ macs, addresses, timeout, signal });
  if (found.kind === 'unavailable')
    return bare('discovery', 'not_applicable', `${what} cannot be used: ${found.reason}.`);
  if (found.kind === 'silence') {
    const silence = `DSM did not answer ${what} within ${formatDuration(rounded(timeout))}`;
    if (answeredBefore) return bare('discovery', 'silent', `${silence}, and it did before.`);
    const why = "a firewall, or a container without the host's network, may keep its answers out";
    return bare('discovery', 'not_applicable', `${silence}, and never did before: ${why}.`);
  }
  const { packet, from, ms } = found;
  const device = { ...packet.identity, address: packet.identity.address ?? from };
  const { kind, words } = meaningOf(packet);
  return { kind, ms, explanation: kind === 'ready' ? introduce(device) : `It says that ${words}.`, device };
}

/** In seconds, or milliseconds below one: the rest of a check's time is no round number. */
function rounded(milliseconds: number): number {
  return milliseconds < 1_000 ? Math.round(milliseconds) : Math.round(milliseconds / 1_000) * 1_000;
}

/** "DSM answers as diskstation, DS918+, DSM 7.1.1-42962 Update 6." */
function introduce(device: NonNullable<Findings['discovery']['device']>): string {
  const version = fullVersion(device);
  const parts = [device.name, device.model, version && `DSM ${version}`].filter(part => part !== null);
  return parts.length > 0 ? `DSM answers as ${parts.join(', ')}.` : 'DSM answers.';
}
