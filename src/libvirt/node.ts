import type { CallOptions } from './calls.ts';
import type { Connection } from './connection.ts';
import { procedures } from './procedures.ts';

/** Of `virNodeGetCPUStats` and `virNodeGetMemoryStats`: all processors, all memory. */
const all = -1;

type Fields = ReadonlyMap<string, number>;

/** What libvirt says of its machine. A driver without it rejects with `LibvirtError` 3 (`errorCode.noSupport`). */
export class Node {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Nanoseconds of all processors together since it has booted: `user`, `kernel`, `idle`, `iowait`. */
  cpu(options?: CallOptions): Promise<Fields> {
    return this.#all(nparams =>
      this.#connection.call(procedures.nodeGetCpuStats, { cpu: all, nparams, flags: 0 }, options),
    );
  }

  /** KiB: `total`, `free`, `buffers`, `cached`. */
  memory(options?: CallOptions): Promise<Fields> {
    return this.#all(nparams =>
      this.#connection.call(procedures.nodeGetMemoryStats, { nparams, cell: all, flags: 0 }, options),
    );
  }

  /** libvirt returns values only to who knows how many there are, and tells that first. */
  async #all(
    ask: (nparams: number) => Promise<{ params: { field: string; value: number }[]; nparams: number }>,
  ): Promise<Fields> {
    const { params } = await ask((await ask(0)).nparams);
    return new Map(params.map(({ field, value }) => [field, value]));
  }
}
