import { addAbortListener } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { checksStore, createChecks, thisHost } from '../app/host/checks.ts';
import { opener } from '../app/host/libvirt.ts';
import { recalledState } from '../app/stores.ts';
import { vmStoreFile } from '../bridge/vm-store.ts';
import type { Config, HostConfig } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import { checkDocument } from '../model/documents.ts';
import { inTime } from '../util/deadline.ts';
import { silent } from '../util/logger.ts';
import { Watch } from '../vm/watch.ts';
import { withOne } from './command.ts';
import { ofEachHost, placeOf } from './domains.ts';
import { renderCheck } from './table.ts';
import { type ExitCode, exitCode, print, type Takes } from './terminal.ts';

export interface CheckOptions extends Takes<'json' | 'signal'> {
  config: Config;
  /** Key or name; all, if not given. */
  vm: string | undefined;
  /** Again and again, until `signal`. */
  watch: boolean;
}

/** Milliseconds until libvirt must be connected; after that, DSM is checked without it. */
const patience = 5_000;
/** Milliseconds between two rounds. */
const pause = 5_000;

/**
 * `dsm2mqtt check`: one check, by this process. 0: everything is up; 1: something is not; 3: and libvirt was not
 * reached.
 */
export async function check({ config, vm, json, watch, stdout, stderr, signal }: CheckOptions): Promise<ExitCode> {
  const asked = withOne(config, vm);
  for (;;) {
    const troubles = new Set<string>();
    const look = async (host: HostConfig) => {
      const { rows, trouble } = await examineAll(host, signal);
      if (trouble !== null) troubles.add(`${placeOf(host.libvirt)}: ${trouble}`);
      return rows;
    };
    const { rows, refused, titleOf } = await ofEachHost(asked, look, signal);
    for (const { message } of refused) troubles.add(message);
    for (const trouble of troubles) stderr.write(`${trouble}\n`);
    print({ json, stdout }, rows, rows.map(row => renderCheck(row, titleOf(row))).join('\n\n'), watch ? 0 : 2);
    if (watch) await delay(pause, undefined, { signal }).catch(() => {});
    if (watch && !signal.aborted) {
      if (!json) stdout.write('\n');
      continue;
    }
    // A VM that a host that is away may have was not checked.
    if (refused.length === 0 && rows.every(({ verdict }) => verdict === 'up')) return exitCode.succeeded;
    return troubles.size === 0 ? exitCode.failed : exitCode.unreached;
  }
}

/** With its own snapshot; it reads what a bridge has stored of the VMs, and does not change it. */
async function examineAll(config: HostConfig, signal: AbortSignal) {
  const { vms, libvirt, dataDir } = config;
  const store = checksStore(dataDir, silent);
  const [remembered, known, host] = await Promise.all([vmStoreFile(dataDir, silent).load(), store.load(), thisHost()]);
  const state = recalledState(vms, remembered, host.boot);
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
    const begin = (there: Libvirt) =>
      watch.begin(there).then(
        () => null,
        ({ message }: Error) => message,
      );
    const trouble =
      client instanceof Error ? client.message : await inTime(begin(client), patience, 'it did not answer in time');
    start();
    using _ = addAbortListener(signal, () => checks.close());
    await Promise.all(vms.map(({ key }) => checks.check(key)));
    // In the order of the configuration: an object puts keys that look like numbers first.
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
