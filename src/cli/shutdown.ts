import { addAbortListener } from 'node:events';
import { join } from 'node:path';
import { expanded } from '../app/every-domain.ts';
import { checksStore, thisHost } from '../app/host/checks.ts';
import { createDispatcher, createHypervisor, createPower } from '../app/host/power.ts';
import { recalledState } from '../app/stores.ts';
import { Records } from '../bridge/history.ts';
import { VmStore, vmStoreFile } from '../bridge/vm-store.ts';
import { type Replies, type Request, type ResponseDocument, responseOf } from '../commands/responder.ts';
import type { Config, HostConfig } from '../config/config.ts';
import { cancelled, type Outcome, rejected } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import { entryOf } from '../util/entry-of.ts';
import { type FolderLock, lockFolder } from '../util/lock.ts';
import { silent } from '../util/logger.ts';
import { type CommandOptions, commandPayload, findVm, listedVm } from './command.ts';
import { askControl } from './control.ts';
import { onItsHost } from './domains.ts';
import { type ExitCode, exitCode, exitCodeOf, isFinal, Progress, type Takes } from './terminal.ts';

export interface ShutdownOptions extends Takes<'vm' | 'json' | 'signal'>, CommandOptions {
  config: Config;
  /** Milliseconds until libvirt has to be there. */
  patience?: number;
}

/** Milliseconds; a running bridge answers at once. */
const bridgePatience = 3_000;

/**
 * `dsm2mqtt shutdown --direct`: for the time when broker and network are down. A bridge that runs on this machine does
 * it, so that never two processes control one VM; without a bridge, or if it does not answer, this process does. Waits
 * for the end.
 */
export async function shutDownDirectly(options: ShutdownOptions): Promise<ExitCode> {
  const { signal, patience } = options;
  // A host that hangs delays no shutdown of a VM that has an entry of its own.
  const config = listedVm(options.config.vms, options.vm) ? options.config : await expanded(options.config, signal);
  const vm = findVm(config, options.vm);
  const { command, payload } = commandPayload('shutdown', undefined, options);
  const progress = new Progress(options);
  try {
    const lock = await lockFolder(config.dataDir);
    if (lock.reason === 'held') {
      // A bridge that resumes later must not repeat what this process has done.
      const expires_at = new Date(Date.now() + bridgePatience).toISOString();
      const last = await delegate(options, vm.key, JSON.stringify({ ...JSON.parse(payload), expires_at }), progress);
      if (last) return isFinal(last) ? exitCodeOf(last) : exitCode.unreached;
    }
    using own = lock.reason === null ? lock : null;
    const show = (response: ResponseDocument) => progress.show(response);
    const host = await onItsHost(config, vm, signal);
    return exitCodeOf(await direct({ config: host, vm, command, lock: own, show, signal, patience }));
  } catch (error) {
    if (!signal.aborted) throw error;
    progress.note('interrupted; a bridge that has taken the command carries it out all the same');
    return exitCode.failed;
  } finally {
    progress.close();
  }
}

/** The last answer of the bridge that runs here; null: it has not answered at all. */
async function delegate(
  { config, signal }: ShutdownOptions,
  vm: string,
  payload: string,
  progress: Progress,
): Promise<ResponseDocument | null> {
  const socket = join(config.dataDir, 'control.sock');
  let last: ResponseDocument | null = null;
  try {
    for await (const response of askControl(socket, vm, payload, { patience: bridgePatience, signal })) {
      last = response as ResponseDocument;
      progress.show(last);
    }
  } catch (error) {
    signal.throwIfAborted();
    progress.note(`the bridge that runs here: ${(error as Error).message}`);
  }
  return last;
}

export interface DirectOptions {
  config: HostConfig;
  vm: Config['vms'][number];
  command: Command;
  /** Of data_dir; null: without its memory. */
  lock: FolderLock | null;
  show: (response: ResponseDocument) => void;
  signal: AbortSignal;
  /** Milliseconds until libvirt has to be there; default 10 000. */
  patience?: number | undefined;
}

/** Carries a command out in this process, straight over libvirt. Resolves to its outcome. */
export async function direct(options: DirectOptions): Promise<Outcome> {
  const { config, vm, command, lock, show, signal, patience = 10_000 } = options;
  const { key } = vm;
  const file = vmStoreFile(config.dataDir, silent);
  const records = new Records(config.dataDir, silent);
  const [remembered, histories, checked, { boot }] = await Promise.all([
    lock ? file.load() : {},
    lock ? records.load([key]) : {},
    checksStore(config.dataDir, silent).load(),
    thisHost(),
  ]);
  // Those of `all` have no entry.
  const keys = [...config.vms.map(each => each.key), ...(config.templates.length > 0 ? Object.keys(remembered) : [])];
  const store = new VmStore(value => file.save(value), remembered, boot, keys);
  // All VMs: a missing one would be forgotten.
  const state = recalledState(config.vms, remembered, boot, histories);
  const request: Request = {
    ...{ key, command: command.word, id: command.id, by: command.by },
    ...{ responseTopic: null, correlationData: null, reply: null, receivedAt: performance.now() },
  };
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const replies = repliesTo(show, resolve);
  const only = { ...config, vms: [vm] };
  const { link, watch } = createHypervisor(only, state, silent);
  const dispatcher = createDispatcher(only, {
    ...createPower(only, state, watch, each => entryOf(checked, each)?.address ?? null),
    replies,
  });
  let why = `libvirt did not answer within ${patience / 1_000} s`;
  state.subscribe((event, before) => {
    if (lock) store.update(state.snapshot);
    if (lock) records.hear(event, before, state.snapshot);
    dispatcher.hear(event);
    if (event.type === 'hypervisor_down') why = event.reason;
  });

  let begun = false;
  const begin = (first: () => void) => {
    if (!begun) first();
    begun = true;
  };
  link.on('up', () => begin(() => dispatcher.submit(request, command)));
  const deadline = setTimeout(() => {
    begin(() => replies.ended(request, rejected({ code: 'libvirt_unavailable', message: why })));
  }, patience);
  using _ = addAbortListener(signal, () => {
    dispatcher.close();
    begin(() => replies.ended(request, cancelled('cancelled', 'interrupted before anything was done')));
  });
  if (!signal.aborted) link.start();
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
    await link.close();
    await Promise.all([file.settled(), records.settled()]);
  }
}

function repliesTo(show: (response: ResponseDocument) => void, resolve: (outcome: Outcome) => void): Replies {
  return {
    accepted: (request, word, remaining) => {
      const message = `${word} is under way, straight over libvirt; no check tells what DSM does`;
      show(responseOf(request, { status: 'accepted', code: 'accepted', message, remaining }));
    },
    progress: (request, code, message, remaining) => {
      show(responseOf(request, { status: 'progress', code, message, remaining }));
    },
    ended: (request, outcome) => {
      show(responseOf(request, { ...outcome, remaining: null }));
      resolve(outcome);
    },
  };
}
