import type { Code } from '../../model/codes.ts';
import type { LoaderWord } from '../../model/commands.ts';
import type { Loader } from '../../model/loader.ts';
import { type Account, newAccount } from '../../ssh/login.ts';
import { mustBeOurs } from './bound.ts';
import { LoaderFailure, unwritable } from './failure.ts';
import { Journal, type LoaderRecord } from './journal.ts';
import type { JobParts } from './parts.ts';
import { phases, type RunningPhase } from './phases.ts';
import { RunLog } from './run-log.ts';

/** One rebuild or rollback under way: what its phases share. */
export interface Run {
  readonly parts: JobParts;
  readonly runLog: RunLog;
  /** Raised with `Cancelled` or `Closing`. */
  readonly signal: AbortSignal;
  readonly progress: (code: Code<'progress'>, message: string) => void;
  /** Of its logins. */
  readonly account: Account;
  /** It was on when this was begun. */
  readonly ran: boolean;
}

export interface Beginning {
  word: LoaderWord;
  parts: JobParts;
  loader: Loader;
  /** Of the run before; null: there was none. */
  before: LoaderRecord | null;
  signal: AbortSignal;
  progress: Run['progress'];
}

/** Rejects with `LoaderFailure` `journal` when nothing can be written down: then nothing may be done. */
export async function beginRun({ word, parts, loader, before, signal, progress }: Beginning): Promise<Run> {
  const { key, folder, settings, power, now } = parts;
  const journal = new Journal(folder, key);
  const at = now();
  const { domain, check } = power.vm;
  // What is known of another domain's loader says nothing of this one's; a way back is that of the domain it was for.
  const uuid = (word === 'rollback' ? before?.uuid : domain?.uuid) ?? '';
  const known = before?.uuid === uuid ? before : null;
  const record = (log: string): LoaderRecord => ({
    ...{ version: 1, word, phase: 'preflight', started_at: at.toISOString(), ended_at: null },
    ...{ result: null, code: null, error: null, next_step: null },
    uuid,
    // An image that an earlier run left half built is still that, and its copy the one to go back to.
    touched: known?.touched ?? 'no',
    backup: known?.backup ?? null,
    boot_entry: known?.boot_entry ?? null,
    host_key: known?.host_key ?? null,
    ...{ model: settings.model, dsm: settings.platform, verdict: check?.verdict ?? null, log },
  });
  try {
    const log = await journal.begin(at);
    const fresh: Loader = {
      ...loader,
      ...{ startedAt: at.toISOString(), endedAt: null, elapsed: 0, result: null, code: null, error: null },
      ...{ nextStep: null, rollback: false, log: [] },
    };
    const runLog = new RunLog(parts, journal, record(log), fresh);
    runLog.hide(secrets(parts));
    if (before?.backup && !known) runLog.say(`${before.backup.file} stays: it is of another domain, ${before.uuid}`);
    return { parts, runLog, signal, progress, account: newAccount(), ran: domain?.active === true };
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/**
 * One phase: told and written down before it begins, ended when its time is up. Rejects with what ended it, the run's
 * own signal first of all; with `NotOurs` when another domain has taken the VM's name.
 */
export async function phase<T>(run: Run, name: RunningPhase, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { runLog, signal, progress } = run;
  signal.throwIfAborted();
  await runLog.phase(name);
  mustBeOurs(run);
  const { title, within } = phases[name];
  progress('phase', `${name}: ${title}`);
  const time = within === null ? null : AbortSignal.timeout(within);
  const both = time ? AbortSignal.any([signal, time]) : signal;
  try {
    return await act(both);
  } catch (error) {
    signal.throwIfAborted();
    if (!time?.aborted) throw error;
    const message = `${title} took longer than ${Math.round((within ?? 0) / 60_000)} minutes.`;
    throw new LoaderFailure('timed_out', message, null, { cause: error });
  }
}

/** Milliseconds that a rebuild or rollback may take at most, `shutdown` of them for the guest to power off. */
export function longest(
  { guest, times, settings, adapter }: Pick<JobParts, 'guest' | 'times' | 'settings' | 'adapter'>,
  shutdown: number,
): number {
  const fixed = Object.values(phases).reduce((total, { within }) => total + (within ?? 0), 0);
  const facts = { map: { SataPortMap: '', DiskIdxMap: '' }, deviceTree: false, usbDisks: 1, usbIds: null };
  const build = adapter.plan(settings, facts).reduce((total, { timeout }) => total + timeout, 0);
  return fixed + build + 2 * shutdown + times.connect + 2 * (4 * guest.bootGrace + times.settle);
}

/** What must not be said: passwords, and the MACs that the domain has. */
function secrets({ settings, adapter, power }: JobParts): string[] {
  const macs = (power.vm.domain?.hardware.nics ?? []).map(({ mac }) => mac);
  const passwords = [settings.ssh.password, adapter.login.password].filter(word => word !== null);
  return [...passwords, ...macs, ...macs.map(mac => mac.replaceAll(':', ''))];
}
