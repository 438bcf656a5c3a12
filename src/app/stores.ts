import { join } from 'node:path';
import { type Remembered, recall, vmStoreFile } from '../bridge/vm-store.ts';
import type { Config } from '../config/config.ts';
import { checkAnnounced, nothingAnnounced } from '../discovery/announced-store.ts';
import { emptyVm } from '../model/snapshot.ts';
import { State } from '../model/state.ts';
import { inTime } from '../util/deadline.ts';
import { lockWithin } from '../util/lock.ts';
import type { Logger } from '../util/logger.ts';
import { Store } from '../util/store.ts';
import { checksStore } from './checks.ts';

/** Another bridge has the data directory. */
export class FolderInUse extends Error {
  override name = 'FolderInUse';
}

/** Milliseconds that a hanging file system may delay the end. */
const storePatience = 500;

/** The data directory of a bridge: its files, and the lock that it holds while it runs. */
export type Stores = Awaited<ReturnType<typeof openStores>>;

/** `patience`: milliseconds for another process to leave the directory. Rejects with `FolderInUse`, or as `signal` does. */
export async function openStores(folder: string, logger: Logger, patience: number, signal: AbortSignal | undefined) {
  // Failing at once would make a supervisor restart the bridge, and soon give up.
  const lock = await lockWithin(folder, patience, signal);
  if (lock.reason === 'held') throw new FolderInUse(lock.message);
  if (lock.reason === 'unwritable') {
    logger.warn({ event: 'store.unlocked', reason: lock.message }, 'data_dir cannot be locked: working without');
  }
  const announced = new Store({
    path: join(folder, 'announced.json'),
    version: 1,
    empty: nothingAnnounced,
    check: checkAnnounced,
    logger,
  });
  const vms = vmStoreFile(folder, logger);
  const checks = checksStore(folder, logger);
  const files = [announced, vms, checks];
  const [wasAnnounced, remembered, checked] = await Promise.all([announced.load(), vms.load(), checks.load()]);
  return {
    /** Of this process alone. */
    locked: lock.reason === null,
    announced: { file: announced, was: wasAnnounced },
    vms: { file: vms, was: remembered },
    checks: { file: checks, was: checked },
    close: async () => {
      await inTime(Promise.all(files.map(file => file.settled())), storePatience, null);
      if (lock.reason === null) lock.release();
    },
  };
}

/** The VMs as they were stored, before libvirt has told anything. `boot`: the host's current boot. */
export function recalledState(vms: Config['vms'], remembered: Remembered, boot: string | null): State {
  return new State(
    Object.fromEntries(vms.map(({ key, label }) => [key, recall(emptyVm(key, label), remembered, boot)])),
  );
}
