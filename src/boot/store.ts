import { join } from 'node:path';
import * as z from 'zod';
import { type Boot, bootPhases, bootResults } from '../model/boot.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';
import { Store } from '../util/store.ts';

/** The boots of one VM that are kept in `data_dir`; null: none. */
export interface KeptBoots {
  last: Boot | null;
  good: Boot | null;
}

export const noBoots: KeptBoots = { last: null, good: null };

const boot = z.object({
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  result: z.enum(bootResults).nullable(),
  source: z.enum(['log', 'console']).nullable(),
  phases: z.record(z.enum(bootPhases), z.number().nullable()),
  lines: z.array(z.string()),
  next: z.array(z.string()),
});
const boots: z.ZodType<KeptBoots> = z.object({ last: boot.nullable(), good: boot.nullable() });

/** One file for each VM. Only its owner may read it. */
export function bootStore(folder: string, key: VmKey, logger: Logger): Store<KeptBoots> {
  return new Store({ path: join(folder, 'boots', `${key}.json`), empty: noBoots, schema: boots, logger });
}
