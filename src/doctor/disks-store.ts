import { join } from 'node:path';
import * as z from 'zod';
import type { Logger } from '../util/logger.ts';
import { Store } from '../util/store.ts';

/** Hashes of what the disks of each VM are, by the VM's key and the disk's source, as when DSM was last up. */
const schema = z.record(z.string(), z.record(z.string(), z.string()));

export type KnownDisks = z.infer<typeof schema>;

export function disksStore(folder: string, logger: Logger): Store<KnownDisks> {
  return new Store({ path: join(folder, 'disks.json'), empty: {}, schema, logger });
}
