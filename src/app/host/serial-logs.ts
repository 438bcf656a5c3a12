import { stat } from 'node:fs/promises';
import type { Event, VmKey } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import { serialLog } from '../../vm/console.ts';
import { child, parseDomain } from '../../vm/xml.ts';

/** A VM's serial log: its file, and its size while the VM was off; null: it runs, and has been read from there. */
interface Log {
  path: string | null;
  size: number | null;
  /** Until then its size is being asked for. */
  measured: Promise<void>;
}

/** Where each VM's serial port is written to, and from where on a boot is read. */
export class SerialLogs {
  readonly #state: State;
  readonly #logs = new Map<VmKey, Log>();

  constructor(state: State) {
    this.#state = state;
  }

  /** A definition that is new or has changed. */
  look(key: VmKey, xml: string): void {
    const path = serialLog(child(parseDomain(xml), 'devices'));
    this.#logs.set(key, { path, size: this.#logs.get(key)?.size ?? null, measured: Promise.resolve() });
    this.#measure(key);
  }

  /** Must hear every event, after the snapshot has taken it. */
  hear(event: Event): void {
    if (event.type === 'domain') this.#measure(event.key);
  }

  /** Its file; null: none. */
  path(key: VmKey): string | null {
    return this.#logs.get(key)?.path ?? null;
  }

  /** Bytes before what it says from now on. The next time, those that are there then, unless it was off meanwhile. */
  async begin(key: VmKey): Promise<number> {
    const log = this.#logs.get(key);
    await log?.measured;
    const size = log?.size ?? (await sizeOf(log?.path ?? ''));
    if (log) log.size = null;
    return size;
  }

  /** While the VM is off: what is in the file then is of an earlier boot. */
  #measure(key: VmKey): void {
    const log = this.#logs.get(key);
    if (!log?.path || this.#state.vm(key).domain?.active !== false) return;
    log.measured = sizeOf(log.path).then(size => {
      log.size = size;
    });
  }
}

function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
