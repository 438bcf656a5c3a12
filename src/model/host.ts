/** What is known of a host's load and room. Null: not known. */
export interface HostStats {
  /** ISO 8601. */
  sampledAt: string;
  /** Per cent of all processors, since the sample before. */
  cpu: number | null;
  /** Bytes. */
  memory: Room | null;
  /** Processes that run or wait, the mean of the last minute; only of the machine that the bridge runs on. */
  load: number | null;
  /** libvirt's active storage pools, by name. */
  pools: Readonly<Record<string, Room>>;
}

/** Bytes. */
export interface Room {
  total: number;
  available: number;
}

export function usedPercent({ total, available }: Room): number | null {
  return total > 0 ? Math.round(((total - available) / total) * 1_000) / 10 : null;
}

/** QEMU pauses a guest whose image can grow no more: there should be time to do something before. */
const little = { share: 0.05, bytes: 20 * 2 ** 30 };

/** Pools in which there is little room left: under 5 %, and under 20 GiB. */
export function nearlyFull({ pools }: HostStats): string[] {
  return Object.entries(pools).flatMap(([name, { total, available }]) => {
    return available < total * little.share && available < little.bytes ? [name] : [];
  });
}
