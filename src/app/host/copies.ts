import type { HostConfig } from '../../config/config.ts';
import { keepCopy, lookAtDefinition } from '../../definition/copies.ts';
import type { Event, VmKey } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import { inTime } from '../../util/deadline.ts';
import type { Logger } from '../../util/logger.ts';
import { isLocal } from './libvirt.ts';

/** Keeps copies of the definitions in `data_dir`, one after the other. What fails is tried again when it is next read. */
export function createCopies({ dataDir, libvirt }: HostConfig, state: State, logger: Logger) {
  const up = Promise.withResolvers<void>();
  /** Each as it was last read, unless it could not be kept. */
  const read = new Map<VmKey, string>();
  const complaints = new Map<VmKey, string>();
  let turn: Promise<unknown> = up.promise;
  let closed = false;

  const keep = async (key: VmKey, xml: string): Promise<void> => {
    if (closed) return;
    try {
      const local = isLocal(libvirt, state.snapshot.hypervisor.info?.hostname ?? null);
      const { name, dsm } = state.vm(key).loader?.found ?? {};
      const loader = name ? `${name}${dsm ? `, DSM ${dsm}` : ''}` : null;
      const copy = await keepCopy(dataDir, key, await lookAtDefinition(xml, local, loader));
      complaints.delete(key);
      if (!copy) return;
      const { number, changed, nvram } = copy;
      const fields = { event: 'definition.kept', vm: key, copy: number, nvram: nvram && (nvram.why ?? 'kept') };
      logger.info({ ...fields, changed: changed.slice(0, 20) }, "a copy of the VM's definition is kept");
    } catch (error) {
      if (read.get(key) === xml) read.delete(key);
      const { message: reason } = error as Error;
      if (complaints.get(key) === reason) return;
      complaints.set(key, reason);
      logger.warn(
        { event: 'definition.unkept', vm: key, reason },
        "the VM's definition cannot be copied; trying again",
      );
    }
  };

  return {
    keep: (key: VmKey, xml: string): void => {
      if (read.get(key) === xml) return;
      read.set(key, xml);
      turn = turn.then(() => keep(key, xml));
    },
    hear: (event: Event): void => {
      if (event.type === 'hypervisor_up') up.resolve();
      // A new VM has its NVRAM only then.
      if (event.type === 'domain' && event.domain?.active === false) read.delete(event.key);
    },
    /** Resolves when what is being written is, unless the file system hangs. */
    close: (): Promise<unknown> => {
      closed = true;
      up.resolve();
      return inTime(turn, 500, null);
    },
  };
}
