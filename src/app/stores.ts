import { Records, type Run } from '../bridge/history.ts';
import { type Remembered, recall, vmStoreFile } from '../bridge/vm-store.ts';
import type { Known } from '../checks/engine/run.ts';
import type { Config } from '../config/config.ts';
import { announcedStore } from '../discovery/announced-store.ts';
import { disksStore } from '../doctor/host.ts';
import type { DomainRef } from '../libvirt/structs.ts';
import { emptyVm, type VmKey, type VmSnapshot } from '../model/snapshot.ts';
import { State } from '../model/state.ts';
import { inTime } from '../util/deadline.ts';
import { entryOf } from '../util/entry-of.ts';
import { lockWithin } from '../util/lock.ts';
import type { Logger } from '../util/logger.ts';
import type { Store } from '../util/store.ts';
import { checksStore } from './host/checks.ts';

/** Another bridge has the data directory. */
export class FolderInUse extends Error {
  override name = 'FolderInUse';
}

/** Milliseconds that a hanging file system may delay the end. */
const storePatience = 500;

/** The data directory of a bridge: its files, and the lock that it holds while it runs. */
export type Stores = Awaited<ReturnType<typeof openStores>>;

/** `patience`: milliseconds for another process to leave the directory. Rejects with `FolderInUse`, or as `signal` does. */
export async function openStores(
  { dataDir: folder, vms: configured }: Pick<Config, 'dataDir' | 'vms'>,
  logger: Logger,
  patience: number,
  signal: AbortSignal | undefined,
) {
  // Failing at once would make a supervisor restart the bridge, and soon give up.
  const lock = await lockWithin(folder, patience, signal);
  if (lock.reason === 'held') throw new FolderInUse(lock.message);
  if (lock.reason === 'unwritable') {
    logger.warn({ event: 'store.unlocked', reason: lock.message }, 'data_dir cannot be locked: working without');
  }
  const announced = announcedStore(folder, logger);
  const vms = vmStoreFile(folder, logger);
  const checks = checksStore(folder, logger);
  const disks = disksStore(folder, logger);
  const files = [announced, vms, checks, disks];
  const records = new Records(folder, logger);
  const keys = configured.map(({ key }) => key);
  const [wasAnnounced, remembered, checked, known, recorded] = await Promise.all([
    ...[announced.load(), vms.load(), checks.load(), disks.load()],
    records.load(keys),
  ] as const);
  return {
    /** Of this process alone. */
    locked: lock.reason === null,
    announced: { file: announced, was: wasAnnounced },
    vms: { file: vms, was: remembered },
    checks: shared(checks, checked, keys),
    records: { all: records, was: recorded },
    disks: shared(disks, known, keys),
    close: async () => {
      await inTime(Promise.all([...files, records].map(file => file.settled())), storePatience, null);
      if (lock.reason === null) lock.release();
    },
  };
}

/** A file with an entry for each VM, for the parts of several hosts: each saves only its own. */
function shared<T>(file: Store<Readonly<Record<VmKey, T>>>, was: Readonly<Record<VmKey, T>>, keys: readonly VmKey[]) {
  const pick = (from: Readonly<Record<VmKey, T>>, holds: (key: VmKey) => boolean) =>
    Object.fromEntries(Object.entries(from).filter(([key]) => holds(key)));
  let all = pick(was, key => keys.includes(key));
  const of = (owns: (key: VmKey) => boolean) => ({
    was,
    file: {
      save: (value: Readonly<Record<VmKey, T>>): void => {
        all = { ...all, ...pick(value, key => keys.includes(key) && owns(key)) };
        file.save(all);
      },
    },
  });
  return { was, of };
}

/**
 * The VMs as they were stored, before libvirt has told anything. `boot`: the host's current boot. `before`: as a bridge of
 * this process left them.
 */
export function recalledState(
  vms: Config['vms'],
  remembered: Remembered,
  boot: string | null,
  records: Readonly<Record<VmKey, Pick<VmSnapshot, 'history' | 'uptime'>>> = {},
  host: string | null = null,
  before?: ReadonlyMap<VmKey, VmSnapshot>,
): State {
  const recalled = vms.map(({ key, label, guest }) => {
    const nothing = emptyVm(key, label, guest);
    const { startedAt, lastError, check, stats, harm } = before?.get(key) ?? nothing;
    const vm = recall({ ...nothing, startedAt, lastError, check, stats, harm }, remembered, boot);
    return [key, { ...vm, ...entryOf(records, key) }];
  });
  return new State(Object.fromEntries(recalled), host);
}

/**
 * Whether the VM that libvirt now has was stopped and started again while no bridge ran, as far as libvirt's ids and the
 * host's boots tell. The record counts before the checks, because it has each start before it has the next one. `local`:
 * libvirt's host is this machine.
 */
export function ranBefore(
  { uuid, id }: DomainRef,
  { remembered }: Pick<VmSnapshot, 'remembered'>,
  { recorded, known, boot, local }: { recorded?: Run; known: Known | undefined; boot: string | null; local: boolean },
): boolean {
  const ran = remembered?.active === true && remembered.uuid === uuid;
  if (ran && !remembered.thisBoot && local) return true;
  if (recorded?.uuid === uuid && recorded.boot === boot) return recorded.id !== id;
  const run = ran && known?.uuid === uuid ? known.run : null;
  return run !== null && run.boot === boot && run.id !== id;
}
