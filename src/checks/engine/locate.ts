import { isIPv4 } from 'node:net';
import type { DsmIdentity } from '../../model/check.ts';
import type { Nic } from '../../model/domain.ts';
import type { VmKey } from '../../model/snapshot.ts';
import { bare, type Findings } from '../finding.ts';
import type { HttpCheck } from '../probes/http.ts';
import type { Probes } from '../probes.ts';
import { type Ask, nowhere } from './ask.ts';

/** What is configured that can be asked of a guest; all but the ports only of one that is not DSM. */
export interface Services {
  ports: readonly number[];
  http: readonly HttpCheck[];
  /** Port of its SSH server; null: not asked. */
  ssh: number | null;
  /** Whether its guest agent is asked. */
  agent: boolean;
}

/** One VM, and what a check knows of it beforehand. */
export interface CheckTarget {
  key: VmKey;
  nics: readonly Nic[];
  /** libvirt's host is this machine. */
  local: boolean;
  /** `vms[].address`, a name or an address; null: to be found. */
  configured: string | null;
  /** Where it was last; null: never seen. */
  lastAddress: string | null;
  services: Services;
  identity: DsmIdentity | null;
  /** It has answered Synology's discovery before. */
  discovered: boolean;
  /** As a last resort, the whole network of its bridge may be asked for its MAC. */
  sweep: boolean;
}

/** Finds DSM's address by the MAC of its NIC, so that no address need be configured. */
export interface Place {
  /** IPv4, the best that is known; null: none. */
  address: string | null;
  neighbour: Findings['neighbour'];
  /** DSM may be at another address, and discovery would tell it. */
  lost: boolean;
  /** The whole network was searched. */
  swept: boolean;
}

/** The candidates: as configured, the last address, those that libvirt knows, or the network of its bridge. */
export async function locate(target: CheckTarget, probes: Probes, ask: Ask): Promise<Place> {
  const { key, nics, lastAddress, sweep } = target;
  const name = target.configured;
  // If the name cannot be resolved now, DSM may still be found.
  const configured = name === null || isIPv4(name) ? name : await ask.any(null, () => probes.resolve(name));
  const at = (address: string | null, neighbour: Findings['neighbour'], swept = false): Place => {
    // Its MAC does not answer where it should.
    const outside = neighbour.kind === 'silent' || neighbour.kind === 'taken';
    return { address, neighbour, lost: configured === null && (address === null || outside), swept };
  };
  const macs = nics.map(({ mac }) => mac);
  const seek = (candidates: readonly string[]) => ask('neighbour', { macs, candidates });
  const given = configured ?? lastAddress;
  // Without a MAC, the guest cannot be distinguished from another machine.
  if (macs.length === 0) return at(given, bare('neighbour', 'not_applicable', 'The MAC of its NIC is not known.'));
  if (configured !== null) return at(configured, await seek([configured]));
  const first = await seek(given === null ? [] : [given]);
  if (first.address !== null) return at(first.address, first);
  const known = await ask.any([], limits => probes.addresses(key, limits));
  const fresh = known.filter(address => address !== given);
  const second = fresh.length > 0 ? await seek(fresh) : first;
  // Another machine may have its old address now.
  const guess = second.address ?? fresh[0] ?? (first.kind === 'taken' ? null : given);
  if (second.address !== null || !sweep) return at(guess, second);
  const around = nics.map(nic => nic.source).filter(source => source !== null);
  const third = await ask('neighbour', { macs, candidates: [], around });
  return third.address === null ? at(guess, second, true) : at(third.address, third, true);
}

/** The address that DSM itself reports (`said`), if it is another one. */
export async function relocate(place: Place, said: string | null, macs: readonly string[], ask: Ask): Promise<Place> {
  if (said === null || said === place.address) return place;
  return { ...place, address: said, neighbour: await ask('neighbour', { macs, candidates: [said] }) };
}

/**
 * The lower layers of a check, which are the same for every guest and disturb no disk. A ping needs its own process: too
 * expensive for every minute.
 */
export type Lower = Pick<Findings, 'bridge' | 'neighbour' | 'tcp'>;

/** No promise of its own: nobody would hear its rejection before it is awaited. */
export function cable({ nics, local }: CheckTarget, ask: Ask): Promise<Findings['bridge']> | Findings['bridge'] {
  return nics.length > 0 ? ask('bridge', { nics, local }) : bare('bridge', 'not_applicable', 'Its NICs are not known.');
}

export async function openPorts(
  { services: { ports } }: CheckTarget,
  address: string | null,
  ask: Ask,
): Promise<Findings['tcp']> {
  if (address === null) return nowhere('tcp');
  return ports.length > 0 ? ask('tcp', { address, ports }) : bare('tcp', 'not_applicable', 'No ports are configured.');
}
