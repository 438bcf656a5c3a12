import { succeeded } from '../../model/codes.ts';
import { wantedDsm } from '../../model/loader-settings.ts';
import type { SshSession } from '../../ssh/session.ts';
import { backUp } from '../image/backup.ts';
import { readBoot, readBootPartition, setBootEntry } from '../image/boot-entry.ts';
import { isImageError, type LoaderImage } from '../image/image.ts';
import { prove } from '../image/restore.ts';
import { bootFiles } from '../kinds/recognise.ts';
import { chooseEntry } from '../menu-keys.ts';
import { type Inspection, inspect } from '../plan/inspect.ts';
import { armFromWithin } from './boot-files.ts';
import { powerOff, powerOffBuilder, reachBuilder } from './builder.ts';
import { explain, LoaderFailure, mustSucceed, Refused } from './failure.ts';
import { loaderSource, mustFit, scratchFolder, withImage } from './loader-image.ts';
import { phase, type Run } from './run.ts';
import type { Ending } from './run-log.ts';
import { buildSteps } from './steps.ts';
import { awaitDsm } from './wait-for-dsm.ts';

/**
 * The rebuild, phase by phase. It writes nothing to the image before there is a proven backup of it, and nothing while
 * the VM is on; only the loader itself does. `recovery.ts` settles what a phase throws.
 */
export async function rebuild(run: Run): Promise<Ending> {
  const plan = await phase(run, 'preflight', signal => preflight(run, signal));
  await phase(run, 'shutting_down', signal => powerOff(run, cannotShutDown, signal));
  await phase(run, 'backing_up', signal => backUpImage(run, signal));
  const byKeys = await phase(run, 'arming_builder', signal => armBuilder(run, plan, signal));
  await phase(run, 'booting_builder', signal => startBuilder(run, plan, signal));
  await using sessions = new AsyncDisposableStack();
  const first = sessions.use(await phase(run, 'connecting', signal => enterBuilder(run, byKeys, plan, signal)));
  if (plan.adapter.builder.variable === 'saved_entry') {
    await phase(run, 'arming_dsm', signal => armDsm(run, first, plan, signal));
  }
  const session = await phase(run, 'building', signal => {
    const again = async () => sessions.use(await reachBuilder(run, reachOptions(run, plan), signal));
    return buildSteps(run, first, plan.steps, again, signal);
  });
  await phase(run, 'verifying', signal => verify(run, session, plan, signal));
  await phase(run, 'booting_dsm', signal => start(run, signal));
  return phase(run, 'checking', signal => conclude(run, plan, signal));
}

const cannotShutDown = { message: 'DSM could not be shut down', advice: null };

type ReadyPlan = Inspection & { builderEntry: string };

async function preflight(run: Run, signal: AbortSignal): Promise<ReadyPlan> {
  const { parts, runLog } = run;
  const { settings, adapters, power, open, local, folder, onTimeout, world } = parts;
  const { vm } = power;
  const ref = parts.ref();
  if (!ref || !vm.domain) throw new Refused('libvirt_unavailable', 'libvirt is away.');
  await using client = await open(signal);
  const scratch = scratchFolder(folder);
  const found = await inspect({ settings, adapters, vm, ref, local, signal, client, scratch, onTimeout, world });
  run.adapter = found.adapter;
  runLog.hide([...found.secrets, found.adapter.login.password]);
  for (const { level, message, advice } of found.findings) runLog.say(`${level}: ${message} ${advice ?? ''}`.trimEnd());
  const reason = found.findings.find(({ level }) => level === 'refuse');
  if (reason) throw new Refused(reason.code, reason.message, reason.advice);
  const { builderEntry, boot } = found;
  if (builderEntry === null) throw new Refused('no_builder_entry', "The loader's menu has no image builder.");
  await runLog.remember({ boot_entry: boot?.next ?? null, kind: found.adapter.kind });
  return { ...found, builderEntry };
}

/** Keeps a backup that an earlier run made of a sound image, if the image may be half built since. */
async function backUpImage(run: Run, signal: AbortSignal): Promise<void> {
  const { parts, runLog } = run;
  const { settings, key, power, now } = parts;
  await withImage(run, signal, async (image, how) => {
    const { touched, backup: kept, uuid } = runLog.record;
    if (touched !== 'no' && kept) {
      const why = await unusable(run, image, how.signal);
      if (why === null) {
        runLog.say(`the backup of ${kept.at} is kept for a rollback`);
        return;
      }
      runLog.say(`the backup of ${kept.at} does not fit this image: ${why}`);
    }
    const options = {
      ...{ folder: settings.backupDir, name: key, keep: settings.keepBackups, now },
      ...{ domain: power.vm.domain?.name ?? key, uuid, source: loaderSource(power), spare: kept ? [kept.file] : [] },
    };
    const { file, at, size } = await backUp(image, options, how.signal, share => runLog.progress(share));
    await runLog.remember({ backup: { file, at, size }, touched: 'no' });
    runLog.say(`backup: ${file}`);
  });
}

/** Why a rollback could not use the backup that there is; null: it could. Reads all of it. */
async function unusable(run: Run, image: LoaderImage, signal: AbortSignal): Promise<string | null> {
  try {
    const backup = await mustFit(run, image, signal);
    await prove(backup, signal, share => run.runLog.progress(share));
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return explain(error).message;
  }
}

/** Returns the error of a menu that cannot be set; nothing was written then. Throws any other error. */
function unsettable(error: unknown): Error {
  if (isImageError(error, 'cannot_arm', 'bad_grubenv')) return error;
  throw error;
}

/** Resolves to the entry's place if the menu cannot be set and keys must choose it; else null. */
async function armBuilder(
  run: Run,
  { builderEntry, boot: was }: ReadyPlan,
  signal: AbortSignal,
): Promise<number | null> {
  const { runLog, adapter } = run;
  const { variable } = adapter.builder;
  if (was?.envBytes !== undefined) runLog.say(`GRUB's environment block had ${was.envBytes} bytes; it gets its 1024`);
  return withImage(run, signal, async (image, how) => {
    await mustFit(run, image, how.signal);
    const before = runLog.record.touched;
    if (before === 'no') await runLog.remember({ touched: 'menu' });
    const boot = await setBootEntry(image, builderEntry, { ...how, variable }).catch(unsettable);
    if (!(boot instanceof Error)) {
      await runLog.remember({ boot_entry: boot.next });
      return null;
    }
    await runLog.remember({ touched: before });
    runLog.say(`${boot.message}: the entry is chosen by keys instead`);
    const { entries } = await readBoot(image, how).catch(() => ({ entries: [] as readonly string[] }));
    if (entries.length === 0) throw boot;
    return entries.indexOf(builderEntry);
  });
}

async function start({ parts: { power } }: Run, signal: AbortSignal): Promise<void> {
  mustSucceed(await power.start(signal), 'The VM could not be started');
}

/** GRUB forgets an entry that starts once as soon as it starts. */
async function startBuilder(run: Run, { dsmEntry }: ReadyPlan, signal: AbortSignal): Promise<void> {
  await start(run, signal);
  if (run.adapter.builder.variable === 'next_entry') await run.runLog.remember({ boot_entry: dsmEntry });
}

function reachOptions({ parts: { times, settings } }: Run, { configText: config }: ReadyPlan) {
  return { within: times.connect, hostKey: settings.ssh.hostKey, config };
}

async function enterBuilder(
  run: Run,
  byKeys: number | null,
  plan: ReadyPlan,
  signal: AbortSignal,
): Promise<SshSession> {
  const reached = new AbortController();
  const keys = byKeys === null ? null : pressKeys(run, byKeys, AbortSignal.any([signal, reached.signal]));
  try {
    return await reachBuilder(run, reachOptions(run, plan), signal);
  } finally {
    reached.abort();
    await keys;
  }
}

/** What boots shows whether it worked. */
async function pressKeys({ parts }: Run, index: number, signal: AbortSignal): Promise<void> {
  const ref = parts.ref();
  if (!ref) return;
  try {
    await using client = await parts.open(signal);
    await chooseEntry(client, ref, index, { signal, for: parts.times.keys, every: 1_000 });
  } catch {
    // Then something else boots, and `reachBuilder` does not log in there.
  }
}

/** Comes first in the builder: from now on every reboot starts DSM. */
async function armDsm(
  { adapter, runLog }: Run,
  session: SshSession,
  plan: ReadyPlan,
  signal: AbortSignal,
): Promise<void> {
  const title = await armFromWithin(session, adapter, plan.loaderBus, signal).catch(unsettable);
  if (title instanceof Error) runLog.say(`${title.message}: the menu decides by itself`);
  else await runLog.remember({ boot_entry: title });
}

async function verify(run: Run, session: SshSession, { loaderBus }: ReadyPlan, signal: AbortSignal): Promise<void> {
  const { parts, adapter, runLog } = run;
  const { settings, power, times } = parts;
  await powerOffBuilder(adapter, session, signal);
  if (!(await power.goesOff(times.powerOff, signal))) {
    mustSucceed(await power.shutDown(signal), 'The image builder does not power off');
  }
  const wanted = wantedDsm(settings);
  await withImage(run, signal, async (image, how) => {
    await mustFit(run, image, how.signal);
    const partition = await readBootPartition(image, bootFiles, how);
    const entry = adapter.bootEntry(partition.boot.entries, 'dsm', loaderBus);
    if (entry === null || !adapter.builtFor(partition, wanted)) {
      const message = `The build has ended well, and yet the image has no ${wanted.model} ${wanted.version}.`;
      throw new LoaderFailure('not_built', message, 'Read its output.');
    }
    const { variable } = adapter.builder;
    const boot = await setBootEntry(image, entry, { ...how, variable }).catch(unsettable);
    await runLog.remember({ touched: 'built', boot_entry: boot instanceof Error ? null : boot.next });
  });
}

async function conclude(run: Run, { sameDsm }: ReadyPlan, signal: AbortSignal): Promise<Ending> {
  const { parts, runLog } = run;
  const { model, version } = wantedDsm(parts.settings);
  const { check, come } = await awaitDsm(parts, runLog.say, runLog.progress, signal);
  const { reason, nextStep, cause, dsm } = check;
  if (come === 'up') {
    await runLog.remember({ touched: 'no' });
    const other = dsm.version !== null && dsm.version !== version ? ` It says that it is ${dsm.version}.` : '';
    const outcome = succeeded('done', `DSM is up with its new loader for ${model} ${version}.${other}`);
    return { phase: 'done', result: 'succeeded', code: null, error: null, next_step: null, outcome };
  }
  if (sameDsm) {
    const message = `DSM ${version} was installed, and does not come up from its new loader: ${reason}`;
    throw new LoaderFailure('dsm_lost', message, nextStep);
  }
  if (cause === 'no_disk') {
    throw new LoaderFailure('no_disk', `The new loader starts, but its disks are gone: ${reason}`, nextStep);
  }
  const error = `The loader for ${model} ${version} is in place. ${reason}`;
  const next = `Install DSM ${version} on its page; until then \`rollback\` puts the old loader back.`;
  const outcome = succeeded('awaiting_dsm_install', error);
  return { phase: 'done', result: 'awaiting_dsm_install', code: null, error, next_step: next, outcome };
}
