import { type Outcome, rejected, succeeded } from '../../model/codes.ts';
import { wantedDsm } from '../../model/loader-settings.ts';
import type { SshSession } from '../../ssh/session.ts';
import type { Step } from '../adapter.ts';
import { backUp } from '../image/backup.ts';
import { armEntry, readBoot } from '../image/boot-entry.ts';
import { isImageError } from '../image/errors.ts';
import type { LoaderImage } from '../image/image.ts';
import { prove } from '../image/restore.ts';
import { chooseEntry } from '../menu-keys.ts';
import { type Inspection, inspect } from '../plan/inspect.ts';
import { armFromWithin } from './boot-files.ts';
import { loaderSource, mustFit } from './bound.ts';
import { powerOffBuilder, reachBuilder } from './builder.ts';
import { explain, failureOf, LoaderFailure } from './failure.ts';
import { opened, scratchFolder, withImage } from './open-image.ts';
import { powerOff } from './power.ts';
import { phase, type Run } from './run.ts';
import { buildSteps } from './steps.ts';
import { awaitDsm } from './wait-for-dsm.ts';

/**
 * The rebuild, phase by phase. Nothing is written to the image before there is a proven copy of it, and nothing while
 * the VM is on, but by the loader itself. What a phase throws is settled by `settle.ts`.
 */

/** It cannot work: nothing was changed. */
export class Refused extends LoaderFailure {
  override name = 'Refused';
}

export async function rebuild(run: Run): Promise<Outcome> {
  const plan = await phase(run, 'preflight', signal => preflight(run, signal));
  await phase(run, 'shutting_down', signal => powerOff(run, cannotShutDown, signal));
  await phase(run, 'backing_up', signal => copyImage(run, signal));
  const byKeys = await phase(run, 'arming_builder', signal => armBuilder(run, plan, signal));
  await phase(run, 'booting_builder', signal => start(run, signal));
  await using session = await phase(run, 'connecting', signal => enterBuilder(run, byKeys, signal));
  await phase(run, 'arming_dsm', signal => armDsm(run, session, plan, signal));
  await phase(run, 'building', signal => build(run, session, plan.steps, signal));
  await phase(run, 'verifying', signal => verify(run, session, plan, signal));
  await phase(run, 'booting_dsm', signal => start(run, signal));
  return phase(run, 'checking', signal => conclude(run, plan, signal));
}

const cannotShutDown = { message: 'DSM could not be shut down', advice: null };

/** A plan that can be carried out. */
type ReadyPlan = Inspection & { builderEntry: string };

async function preflight({ parts, runLog }: Run, signal: AbortSignal): Promise<ReadyPlan> {
  const { settings, adapter, power, open, local, folder } = parts;
  const { vm } = power;
  const ref = parts.ref();
  if (!ref || !vm.domain) throw new Refused('libvirt_unavailable', 'libvirt is away.');
  await using client = await opened(open, signal);
  const found = await inspect({
    ...{ settings, adapter, vm, ref, local, signal },
    client: client.libvirt,
    scratch: scratchFolder(folder),
    onTimeout: parts.onTimeout,
    world: parts.world,
  });
  runLog.hide(found.secrets);
  for (const { level, message, advice } of found.findings) runLog.say(`${level}: ${message} ${advice ?? ''}`.trimEnd());
  const reason = found.findings.find(({ level }) => level === 'refuse');
  if (reason) throw new Refused(reason.code, reason.message, reason.advice);
  const { builderEntry, boot } = found;
  if (builderEntry === null) throw new Refused('no_builder_entry', "The loader's menu has no image builder.");
  await runLog.remember({ boot_entry: boot?.next ?? null });
  return { ...found, builderEntry };
}

/** One that an earlier run has made of a sound image is not given up for a copy of an image that may be half built. */
async function copyImage(run: Run, signal: AbortSignal): Promise<void> {
  const { parts, runLog } = run;
  const { settings, key, power, now } = parts;
  await withImage(run, signal, async (image, how) => {
    const { touched, backup: kept } = runLog.record;
    if (touched !== 'no' && kept) {
      const why = await unusable(run, image, how.signal);
      if (why === null) {
        runLog.say(`the copy of ${kept.at} stays the one to go back to`);
        return;
      }
      runLog.say(`the copy of ${kept.at} is no way back for this image: ${why}`);
    }
    const options = {
      ...{ folder: settings.backupDir, name: key, keep: settings.keepBackups, now },
      domain: power.vm.domain?.name ?? key,
      ...{ uuid: runLog.record.uuid, source: loaderSource(power) },
      spare: kept ? [kept.file] : [],
    };
    const { file, at, size } = await backUp(image, options, how.signal, (done, total) => runLog.progress(done / total));
    await runLog.remember({ backup: { file, at, size }, touched: 'no' });
    runLog.say(`copied to ${file}`);
  });
}

/** Why the copy that there is cannot be the one to go back to; null: it can. All of it is read. */
async function unusable(run: Run, image: LoaderImage, signal: AbortSignal): Promise<string | null> {
  try {
    const copy = await mustFit(run, image, signal);
    await prove(copy, signal, done => run.runLog.progress(done / copy.size));
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return explain(error).message;
  }
}

/** Resolves to the entry's place where the menu cannot be set, and keys must be pressed; else null. */
async function armBuilder(run: Run, { builderEntry }: ReadyPlan, signal: AbortSignal): Promise<number | null> {
  const { runLog } = run;
  return withImage(run, signal, async (image, how) => {
    await mustFit(run, image, how.signal);
    const before = runLog.record.touched;
    if (before === 'no') await runLog.remember({ touched: 'menu' });
    try {
      const { after } = await armEntry(image, builderEntry, how);
      await runLog.remember({ boot_entry: after.next });
      return null;
    } catch (error) {
      if (!isImageError(error, 'cannot_arm', 'bad_grubenv')) throw error;
      // Neither writes anything.
      await runLog.remember({ touched: before });
      runLog.say(`${error.message}: the entry is chosen by keys instead`);
      const { entries } = await readBoot(image, how).catch(() => ({ entries: [] as readonly string[] }));
      if (entries.length === 0) throw error;
      return entries.indexOf(builderEntry);
    }
  });
}

async function start({ parts: { power } }: Run, signal: AbortSignal): Promise<void> {
  const outcome = await power.start(signal);
  if (outcome.status !== 'succeeded') throw failureOf(outcome, 'The VM could not be started');
}

async function enterBuilder(run: Run, byKeys: number | null, signal: AbortSignal): Promise<SshSession> {
  const { parts } = run;
  const reached = new AbortController();
  const keys = byKeys === null ? null : pressKeys(parts, byKeys, AbortSignal.any([signal, reached.signal]));
  try {
    return await reachBuilder(run, parts.times.connect, parts.settings.ssh.hostKey, signal);
  } finally {
    reached.abort();
    await keys;
  }
}

/** What becomes of it is seen by what boots. */
async function pressKeys(
  { open, ref: domainRef, times }: Run['parts'],
  index: number,
  signal: AbortSignal,
): Promise<void> {
  const ref = domainRef();
  if (!ref) return;
  try {
    await using client = await opened(open, signal);
    await chooseEntry(client.libvirt, ref, index, { signal, for: times.keys, every: 1_000 });
  } catch {
    // Then nobody logs in.
  }
}

/** The first thing that is done in the builder: whatever happens from now on, a reboot comes home. */
async function armDsm(
  { parts, runLog }: Run,
  session: SshSession,
  plan: ReadyPlan,
  signal: AbortSignal,
): Promise<void> {
  try {
    const title = await armFromWithin(session, parts.adapter, plan.loaderBus, signal);
    await runLog.remember({ boot_entry: title });
  } catch (error) {
    if (!isImageError(error, 'cannot_arm', 'bad_grubenv')) throw error;
    runLog.say(`${error.message}: the menu decides by itself`);
  }
}

async function build(run: Run, session: SshSession, steps: readonly Step[], signal: AbortSignal): Promise<void> {
  await run.runLog.remember({ touched: 'building' });
  await buildSteps(run, session, steps, signal);
}

async function verify(run: Run, session: SshSession, { loaderBus }: ReadyPlan, signal: AbortSignal): Promise<void> {
  const { parts, runLog } = run;
  const { settings, adapter, power, times } = parts;
  await powerOffBuilder(session, signal);
  if (!(await power.goesOff(times.powerOff, signal))) {
    const outcome = await power.shutDown(signal);
    if (outcome.status !== 'succeeded') throw failureOf(outcome, 'The image builder does not power off');
  }
  const wanted = { model: settings.model, version: wantedDsm(settings).version.replace(/-.*/, '') };
  await withImage(run, signal, async (image, how) => {
    await mustFit(run, image, how.signal);
    const { entries } = await readBoot(image, how);
    const entry = adapter.bootEntry(entries, 'dsm', loaderBus);
    if (entry === null || !adapter.builtFor(entries, wanted)) {
      const message = `The build has ended well, and yet the boot menu has no ${wanted.model} ${wanted.version}.`;
      throw new LoaderFailure('not_built', message, 'Read its output.');
    }
    const armed = await armEntry(image, entry, how).catch(error => {
      if (isImageError(error, 'cannot_arm', 'bad_grubenv')) return null;
      throw error;
    });
    await runLog.remember({ touched: 'built', boot_entry: armed?.after.next ?? null });
  });
}

async function conclude(run: Run, { sameDsm }: ReadyPlan, signal: AbortSignal): Promise<Outcome> {
  const { parts, runLog } = run;
  const { guest, times, settings } = parts;
  const say = (words: string) => runLog.say(words);
  const { check, come } = await awaitDsm(guest, times, say, share => runLog.progress(share), signal);
  const wanted = wantedDsm(settings);
  if (come === 'installer' && sameDsm) {
    const message = `DSM ${wanted.version} was installed, and does not come up from its new loader: ${check.reason}`;
    throw new LoaderFailure('dsm_lost', message, check.nextStep);
  }
  if (come === 'installer' && check.cause === 'no_disk') {
    throw new LoaderFailure(
      'no_disk',
      `The new loader starts, but its disks are gone: ${check.reason}`,
      check.nextStep,
    );
  }
  if (come === 'installer') {
    const message = `The loader for ${wanted.model} ${wanted.version} is in place. ${check.reason}`;
    const nextStep = `Install DSM ${wanted.version} on its page; until then \`rollback\` puts the old loader back.`;
    await runLog.end({ phase: 'done', result: 'awaiting_dsm_install', code: null, error: message, nextStep });
    return succeeded('awaiting_dsm_install', message);
  }
  await runLog.remember({ touched: 'no' });
  const runs = check.dsm.version;
  const other = runs !== null && runs !== wanted.version ? ` It says that it is ${runs}.` : '';
  await runLog.end({ phase: 'done', result: 'succeeded', code: null, error: null, nextStep: null });
  return succeeded('done', `DSM is up with its new loader for ${wanted.model} ${wanted.version}.${other}`);
}

export function refusedOutcome({ message, advice }: LoaderFailure): Outcome {
  return rejected({ code: 'preflight', message: [message, advice].filter(Boolean).join(' ') });
}
