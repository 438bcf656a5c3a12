import { orNull } from '../../../util/or-null.ts';
import { type MapPair, sameMap } from '../../sata-map.ts';

/**
 * The result of `rploader.sh satamap` for the same VM, and why it differs from our map. The script asks lspci for SATA
 * controllers only, takes any controller at 00:1f.2 for unused, and writes : ; < for 10, 11, 12 ports. Pure.
 */

/** The settings in a user_config.json after `satamap`; null when it contains none. */
export function satamapOf(userConfig: string): MapPair | null {
  const { SataPortMap, DiskIdxMap } = orNull(() => JSON.parse(userConfig))?.extra_cmdline ?? {};
  return typeof SataPortMap === 'string' && typeof DiskIdxMap === 'string' ? { SataPortMap, DiskIdxMap } : null;
}

export function explainDifference(ours: MapPair, satamaps: MapPair): readonly string[] {
  if (sameMap(ours, satamaps)) return [];
  const [mine, theirs] = [hosts(ours), hosts(satamaps)];
  const shared = Math.min(mine.length, theirs.length);
  const differing = theirs.slice(0, shared).filter((host, at) => host !== mine[at]);
  const begins = differing.length === 0;
  // One port behind slot 15, where the smallest models end.
  const parked = differing.some(host => host[0] === '1' && Number.parseInt(host.slice(1), 16) >= 15);
  const reasons: readonly (readonly [holds: boolean, reason: string])[] = [
    [true, `satamap proposes ${told(satamaps)}, and ${told(ours)} is used.`],
    [
      begins && mine.length > theirs.length,
      'satamap counts SATA controllers only; the digits after those are for virtio-scsi, and are inert.',
    ],
    [
      begins && mine.length <= theirs.length,
      'satamap sees more SATA controllers than the XML of the VM has: one may be passed through.',
    ],
    [
      /[^0-9]/.test(satamaps.SataPortMap),
      'satamap writes a sign beyond 9 for a controller with more ports, which is experimental.',
    ],
    [
      parked,
      'satamap takes the SATA controller at 00:1f.2 for unused and puts it behind the last slot, even when disks are on it.',
    ],
    [!begins && !parked, 'satamap counts ports of a controller, where ours ends at the last disk.'],
  ];
  return reasons.flatMap(([holds, reason]) => (holds ? [reason] : []));
}

function hosts({ SataPortMap, DiskIdxMap }: MapPair): string[] {
  return [...SataPortMap].map((digit, at) => digit + DiskIdxMap.slice(at * 2, at * 2 + 2).toUpperCase());
}

function told({ SataPortMap, DiskIdxMap }: MapPair): string {
  return `SataPortMap ${SataPortMap || '(none)'} with DiskIdxMap ${DiskIdxMap || '(none)'}`;
}
