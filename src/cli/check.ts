import { addAbortListener } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { checksStore, createChecks, thisHost } from '../app/checks.ts';
import { opener } from '../app/libvirt.ts';
import { recall, vmStoreFile } from '../bridge/vm-store.ts';
import type { Config } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { type CheckDocument, checkDocument } from '../model/documents.ts';
import { emptyVm } from '../model/snapshot.ts';
import { State } from '../model/state.ts';
import { inTime } from '../util/deadline.ts';
import { silent } from '../util/logger.ts';
import { Watch } from '../vm/watch.ts';
import { renderCheck } from './check-table.ts';
import { exitCode } from './outcome.ts';
import { findVm } from './request.ts';

export interface CheckOptions {
  config: Config;
  /** Key or name; all, if not given. */
  vm: string | undefined;
  json: boolean;
  /** Again and again, until `signal`. */
  watch: boolean;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  signal: AbortSignal;
}

interface Row extends CheckDocument {
  id: string;
  name: string;
}

/** Milliseconds until libvirt has to be there; DSM is asked without it then. */
const patience = 5_000;
/** Milliseconds between two rounds. */
const pause = 5_000;

/** `dsm2mqtt check`: one check, straight from here. 0: everything is up; 1: something is not; 3: and libvirt was not reached. */
export async function check({ config, vm, json, watch, stdout, stderr, signal }: CheckOptions): Promise<number> {
  const vms = vm === undefined ? config.vms : [findVm(config, vm)];
  for (;;) {
    const { rows, trouble } = await examineAll({ ...config, vms }, signal);
    if (trouble !== null) stderr.write(`${config.libvirt.uri}: ${trouble}\n`);
    if (json) stdout.write(`${JSON.stringify(rows, null, watch ? 0 : 2)}\n`);
    else stdout.write(`${rows.map(renderCheck).join('\n\n')}\n`);
    const code = rows.every(({ verdict }) => verdict === 'up')
      ? exitCode.succeeded
      : trouble === null
        ? exitCode.failed
        : exitCode.unreached;
    if (!watch || signal.aborted) return code;
    await delay(pause, undefined, { signal }).catch(() => {});
    if (signal.aborted) return code;
    if (!json) stdout.write('\n');
  }
}

/** With a snapshot of its own; what a bridge remembers of the VMs is read, and left as it is. */
async function examineAll(config: Config, signal: AbortSignal): Promise<{ rows: Row[]; trouble: string | null }> {
  const { vms, libvirt, dataDir } = config;
  const store = checksStore(dataDir, silent);
  const [remembered, known, host] = await Promise.all([vmStoreFile(dataDir, silent).load(), store.load(), thisHost()]);
  const state = new State(
    Object.fromEntries(vms.map(({ key, label }) => [key, recall(emptyVm(key, label), remembered, host.boot)])),
  );
  const watch = new Watch({ vms, emit: state.dispatch, logger: silent });
  const open = opener(libvirt);
  const { checks, start, close } = createChecks({
    // One look has to do.
    config: { ...config, vms: vms.map(each => ({ ...each, checks: { ...each.checks, ...once } })) },
    ...{ state, hypervisor: { open, watch }, host, remembered: known, logger: silent },
    client: () => watch.client,
    save: () => {},
  });
  state.subscribe(event => checks.hear(event));
  const client = await open(AbortSignal.any([signal, AbortSignal.timeout(patience)])).catch((error: Error) => error);
  try {
    const trouble = client instanceof Error ? client.message : await begin(watch, client);
    start();
    using _ = addAbortListener(signal, () => checks.close());
    await Promise.all(vms.map(({ key }) => checks.check(key)));
    const rows = vms.flatMap(({ key, label }) => {
      const vm = state.snapshot.vms[key];
      return vm ? [{ id: key, name: label, ...checkDocument(vm) }] : [];
    });
    return { rows, trouble };
  } finally {
    await close();
    if (!(client instanceof Error)) await client.close();
  }
}

const once = { failuresBeforeDown: 1, schedule: null, deepSchedule: null } as const;

/** Null: the domains have been read. */
async function begin(watch: Watch, client: Libvirt): Promise<string | null> {
  const read = watch.begin(client).then(
    () => null,
    (error: Error) => error.message,
  );
  return inTime(read, patience, 'it did not answer in time');
}
