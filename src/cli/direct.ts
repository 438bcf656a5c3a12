import { checksStore, thisHost } from '../app/checks.ts';
import { steer } from '../app/power.ts';
import { Memory, memoryStore, recall } from '../bridge/vm-store.ts';
import type { Answers, Request, ResponseDocument } from '../commands/responder.ts';
import type { Config } from '../config/config.ts';
import { cancelled, type Outcome, rejected } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import type { Event } from '../model/event.ts';
import { reduce } from '../model/reduce.ts';
import { emptyVm, type Snapshot } from '../model/snapshot.ts';
import type { FolderLock } from '../util/lock.ts';
import { silent } from '../util/logger.ts';

export interface DirectOptions {
  config: Config;
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
  const store = memoryStore(config.dataDir, silent);
  const [remembered, checked, { boot }] = await Promise.all([
    lock ? store.load() : {},
    checksStore(config.dataDir, silent).load(),
    thisHost(),
  ]);
  const memory = new Memory(value => store.save(value), remembered, boot);
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const answers = answersTo(show, resolve);

  let snapshot: Snapshot = {
    hypervisor: { up: false, reason: null, info: null },
    // All of them: what is not in here would be forgotten.
    vms: Object.fromEntries(
      config.vms.map(each => [each.key, recall(emptyVm(each.key, each.label), remembered, boot)]),
    ),
    overdueChecks: [],
  };
  const request: Request = {
    ...{ key, command: command.word, id: command.id, by: command.by },
    ...{ responseTopic: null, correlationData: null, reply: null, receivedAt: performance.now() },
  };
  let why = `libvirt did not answer within ${patience / 1_000} s`;
  const dispatch = (event: Event) => {
    snapshot = reduce(snapshot, event);
    if (lock) memory.update(snapshot);
    jobs.hear(event);
    if (event.type === 'hypervisor_down') why = event.reason;
  };
  const { link, jobs } = steer({
    config: { ...config, vms: [vm] },
    snapshot: () => snapshot,
    dispatch,
    answers,
    errand: () => Promise.resolve('nothing done'),
    addressOf: each => checked[each]?.address ?? null,
    logger: silent,
  });
  let begun = false;
  link.on('up', () => {
    if (!begun && !signal.aborted) jobs.submit(request, command);
    begun = true;
  });
  const deadline = setTimeout(() => {
    if (!begun) answers.ended(request, rejected({ code: 'libvirt_unavailable', message: why }));
    begun = true;
  }, patience);
  const stop = () => {
    jobs.close();
    if (!begun) answers.ended(request, cancelled('cancelled', 'interrupted before anything was done'));
    begun = true;
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  else link.start();
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', stop);
    await link.close();
    await store.settled();
  }
}

function answersTo(show: (response: ResponseDocument) => void, resolve: (outcome: Outcome) => void): Answers {
  const document = ({ id, command, receivedAt }: Request, remaining: number | null) => ({
    id,
    command,
    elapsed_ms: Math.round(performance.now() - receivedAt),
    remaining_ms: remaining === null ? null : Math.round(remaining),
  });
  return {
    accepted: (request, _word, remaining) => {
      const message = `${request.command} is under way, straight over libvirt; no check tells what DSM does`;
      show({ ...document(request, remaining), status: 'accepted', code: 'accepted', message });
    },
    progress: (request, code, message, remaining) => {
      show({ ...document(request, remaining), status: 'progress', code, message });
    },
    ended: (request, outcome) => {
      show({ ...document(request, null), ...outcome });
      resolve(outcome);
    },
  };
}
