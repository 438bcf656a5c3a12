import { bare, type Findings } from '../finding.ts';
import { type Ask, nowhere } from './ask.ts';
import type { CheckTarget } from './locate.ts';

/** The lower layers of a check, which are the same for every guest and disturb no disk. */

/** A ping needs its own process: too expensive for every minute. */
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
