import type { VmKey } from '../model/snapshot.ts';
import type { Logger } from '../util/logger.ts';

/** Lines for each VM and code in a minute, so that a flood of commands does not flood the log. */
const most = 10;
const minute = 60_000;

/** Logs refused commands: the first ones of each kind, and then how many more came. */
export function rejectionLog(logger: Logger): (fields: { vm: VmKey; code: string }) => void {
  /** The latest minute of each kind; `at` is monotonic. */
  const minutes = new Map<string, { at: number; count: number }>();
  return fields => {
    const { vm, code } = fields;
    // A sender can invent any number of VMs.
    const kind = code === 'unknown_vm' ? { code } : { vm, code };
    const name = JSON.stringify(kind);
    const now = performance.now();
    const before = minutes.get(name);
    const current = before && now - before.at < minute ? before : { at: now, count: 0 };
    minutes.set(name, current);
    current.count += 1;
    if (current.count <= most) logger.warn({ event: 'command.rejected', ...fields }, 'command');
    if (current.count !== most + 1) return;
    const sum = () => {
      const more = current.count - most;
      logger.warn({ event: 'command.rejected_more', ...kind, more }, 'more commands were refused like these');
    };
    setTimeout(sum, current.at + minute - now).unref();
  };
}
