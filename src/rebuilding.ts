import { join } from 'node:path';
import { Rebuilds, type RebuildsOptions } from './bridge/rebuilds.ts';
import type { Checking } from './checking.ts';
import type { Findings } from './checks/finding.ts';
import type { Config } from './config/config.ts';
import { isLocal } from './dialing.ts';
import type { Guest, GuestKind } from './loader/job/parts.ts';
import { tcrp } from './loader/tcrp/index.ts';
import type { Snapshot } from './model/snapshot.ts';
import type { Steering } from './steering.ts';

export interface RebuildingOptions
  extends Pick<RebuildsOptions, 'line' | 'tell' | 'logger' | 'times' | 'world' | 'pause'> {
  config: Config;
  /** Default: of the kinds that there are. */
  adapter?: RebuildsOptions['adapter'];
  snapshot: () => Snapshot;
  steering: Pick<Steering, 'open' | 'watch' | 'power' | 'policies'>;
  checking: Pick<Checking, 'checks' | 'identify'>;
}

/** All that a rebuild goes through, for each VM that has a loader. */
export function rebuilding({ config, snapshot, steering, checking, ...rest }: RebuildingOptions): Rebuilds {
  const { open, watch, power, policies } = steering;
  const { checks, identify } = checking;
  return new Rebuilds({
    vms: config.vms.flatMap(({ key, loader, address, checks: { bootGrace } }) => {
      const policy = policies[key];
      if (!loader || !policy) return [];
      const guest: Guest = {
        address: () => address ?? checks.address(key),
        identify: async (host, signal) => kindOf[await identify(key, host, signal)],
        check: async () => {
          await checks.check(key);
          return snapshot().vms[key]?.check ?? null;
        },
        bootGrace,
      };
      return [{ key, settings: loader, policy, guest }];
    }),
    // The one kind that there is.
    adapter: () => tcrp,
    folder: join(config.dataDir, 'loader'),
    ...{ open, power },
    ref: key => watch.target(key)?.ref ?? null,
    local: () => isLocal(config.libvirt, snapshot().hypervisor.info?.hostname ?? null),
    ...rest,
  });
}

/** A port that accepts and shows no page may be DSM's that boots; a name that nobody resolves was not looked at. */
const kindOf: Readonly<Record<Findings['web']['kind'], GuestKind>> = {
  ...{ dsm: 'dsm', installer: 'installer', loader: 'loader', behind: 'other', other: 'other' },
  ...{ silent: 'other', closed: 'none', not_applicable: 'other' },
};
