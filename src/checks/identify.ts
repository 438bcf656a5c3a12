import type { DsmIdentity } from '../model/check.ts';
import type { Findings } from './finding.ts';
import { webPorts } from './probes/web/ports.ts';
import type { Probes } from './probes.ts';

/** What kind of page answers at an address, and nothing else: nobody is logged in, and no more is asked. */
export async function identify(
  probes: Pick<Probes, 'web' | 'resolve'>,
  host: string,
  ports: readonly number[],
  identity: DsmIdentity | null,
  limits: { timeout: number; signal: AbortSignal },
): Promise<Findings['web']['kind']> {
  const address = await probes.resolve(host);
  if (address === null) return 'not_applicable';
  const target = { address, ports: webPorts(ports, identity), loaderSigns: false };
  return (await probes.web(target, limits)).kind;
}
