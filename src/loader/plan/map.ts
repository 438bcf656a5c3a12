import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { StorageController } from '../../vm/controllers.ts';
import type { Platform } from '../platform-table.ts';
import { type MapPair, sataMap } from '../sata-map.ts';

/** SataPortMap and DiskIdxMap as they will be set, with what there is to say of them, a sentence each. */
export interface MapChoice {
  map: MapPair;
  notes: readonly string[];
}

/** As configured, or computed; null: it was to be computed, and cannot be. Pure. */
export function mapOf(
  configured: LoaderSettings['sataMap'],
  platform: Platform,
  controllers: readonly StorageController[],
): MapChoice | null {
  const computed = sataMap(controllers, platform);
  if (configured === 'auto' || platform.deviceTree) {
    if (computed.kind === 'refused') return null;
    const { SataPortMap, DiskIdxMap, notes } = computed;
    return { map: { SataPortMap, DiskIdxMap }, notes };
  }
  const notes = ['It is the configured map, not one that was computed from the VM.'];
  if (computed.kind === 'refused') notes.push(computed.message);
  else if (!same(computed, configured)) {
    notes.push(`Computed, SataPortMap would be ${computed.SataPortMap}, and DiskIdxMap ${computed.DiskIdxMap}.`);
  }
  return { map: configured, notes };
}

function same(a: MapPair, b: MapPair): boolean {
  return a.SataPortMap === b.SataPortMap && a.DiskIdxMap.toUpperCase() === b.DiskIdxMap.toUpperCase();
}
