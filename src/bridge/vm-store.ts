import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { wishes } from '../model/check.ts';
import type { Asked, LastStop, Snapshot, VmKey, VmSnapshot } from '../model/snapshot.ts';
import { entryOf } from '../util/entry-of.ts';
import type { Logger } from '../util/logger.ts';
import { Store } from '../util/store.ts';

/**
 * What a VM keeps beyond the bridge's end: its last stop, whether it ran, what it is meant to be, who asked it to stop,
 * its quiet time.
 */

const text = z.string();
const time = z.iso.datetime({ offset: true });

const lastStop = z.object({ by: text.nullable(), reason: text, at: time, seconds: z.number().nullable() });
const asked = z.object({
  word: text,
  id: text.nullable(),
  by: text,
  at: time,
  until: time,
  cut: z.boolean(),
  open: z.boolean(),
});
export const rememberedSchema = z.record(
  text,
  z.object({
    /** Null: libvirt had no such domain. */
    uuid: text.nullable(),
    active: z.boolean(),
    last_stop: lastStop.nullable(),
    asked: asked.nullable(),
    // Absent from what version 0.1 wrote.
    self_off_at: time.nullable().default(null),
    wish: z.enum(wishes).nullable().default(null),
    quiet: z.object({ until: time, by: text.nullable() }).nullable().default(null),
    /** The host's boot in which this was so; null: it is not known. */
    boot: text.nullable().default(null),
  }),
);

export type Remembered = z.infer<typeof rememberedSchema>;

/** Where the VMs are stored: one file for the bridge and for `shutdown --direct`. */
export function vmStoreFile(folder: string, logger: Logger): Store<Remembered> {
  return new Store({ path: join(folder, 'vms.json'), empty: {}, schema: rememberedSchema, logger });
}

/** The VM as it was stored. `boot`: the host's current boot; null: it is not known. */
export function recall(vm: VmSnapshot, remembered: Remembered, boot: string | null): VmSnapshot {
  const known = entryOf(remembered, vm.key);
  if (!known) return vm;
  const { uuid, active, last_stop, self_off_at, asked, wish, quiet, boot: then } = known;
  return {
    ...vm,
    remembered: uuid === null ? null : { uuid, active, boot: then, thisBoot: then === null || then === boot },
    lastStop: last_stop satisfies LastStop | null,
    selfOffAt: self_off_at,
    asked: asked satisfies Asked | null,
    wish,
    quiet,
  };
}

export class VmStore {
  readonly #save: (remembered: Remembered) => void;
  readonly #boot: string | null;
  /** Without a prototype, because a VM may be called `constructor`. */
  readonly #saved: Record<VmKey, Remembered[string]>;
  /** VMs that were stored, and are not configured any more. */
  readonly #stored: VmKey[];

  /** `configured`: all others are forgotten. */
  constructor(
    save: (remembered: Remembered) => void,
    remembered: Remembered,
    boot: string | null,
    configured: readonly VmKey[],
  ) {
    this.#save = save;
    this.#boot = boot;
    this.#saved = Object.assign(Object.create(null), remembered);
    this.#stored = Object.keys(remembered).filter(key => !configured.includes(key));
  }

  /** `keys` are the only VMs that may have changed. */
  update({ vms }: Snapshot, keys: readonly VmKey[] = Object.keys(vms)): void {
    let changed = false;
    for (const key of new Set([...keys, ...this.#stored.splice(0)])) {
      const vm = Object.hasOwn(vms, key) ? vms[key] : undefined;
      const row = vm ? rowOf(vm, this.#boot) : null;
      if (isDeepStrictEqual(row, this.#saved[key] ?? null)) continue;
      if (row) this.#saved[key] = row;
      else delete this.#saved[key];
      changed = true;
    }
    if (changed) this.#save(this.#saved);
  }
}

/** Null: there is nothing to remember. */
function rowOf(vm: VmSnapshot, boot: string | null): Remembered[string] | null {
  const known = vm.domain ?? vm.remembered;
  // A transient domain is gone once it is off, but the way it stopped is still known.
  if (!known && !vm.lastStop && !vm.wish && !vm.quiet) return null;
  const { uuid = null, active = false } = known ?? {};
  const { lastStop: last_stop, selfOffAt: self_off_at, asked, wish, quiet } = vm;
  return { uuid, active, last_stop, asked, self_off_at, wish, quiet, boot: vm.remembered ? vm.remembered.boot : boot };
}
