import type { LoaderWord } from '../../model/commands.ts';
import type { Domain } from '../../model/domain.ts';
import type { Loader } from '../../model/loader.ts';
import { type Account, newAccount } from '../../ssh/account.ts';
import type { LoaderAdapter, LoaderKind } from '../kinds/adapter.ts';
import { LoaderFailure, NotOurs, unwritable } from './failure.ts';
import type { LoaderRecord } from './journal.ts';
import { beginLog } from './log-file.ts';
import type { JobParts } from './parts.ts';
import { phases, type RunningPhase } from './phases.ts';
import { RunLog } from './run-log.ts';

/** One rebuild or rollback under way: what its phases share. */
export interface Run {
  readonly parts: JobParts;
  /** Of the loader in the image, once that was read. */
  adapter: LoaderAdapter;
  readonly runLog: RunLog;
  /** Aborts with `Cancelled` or `Closing`. */
  readonly signal: AbortSignal;
  readonly progress: (message: string) => void;
  readonly account: Account;
  readonly ran: boolean;
}

export interface Beginning extends Pick<Run, 'parts' | 'signal' | 'progress'> {
  word: LoaderWord;
  loader: Loader;
  before: LoaderRecord | null;
}

/** Rejects with `LoaderFailure` `journal` when the journal cannot be written: then the run must not begin. */
export async function beginRun({ word, parts, loader, before, signal, progress }: Beginning): Promise<Run> {
  const { key, folder, settings, power } = parts;
  const at = parts.now();
  const { domain, check } = power.vm;
  // A record of another domain says nothing about this one's loader.
  const uuid = (word === 'rollback' ? before?.uuid : domain?.uuid) ?? '';
  const known = before?.uuid === uuid ? before : null;
  try {
    const { name, log } = await beginLog(folder, key, at);
    const record: LoaderRecord = {
      ...{ version: 1, word, phase: 'preflight', started_at: at.toISOString(), ended_at: null },
      ...{ result: null, code: null, error: null, next_step: null },
      uuid,
      // An earlier run may have left the image half built; its backup is still the one to restore.
      touched: known?.touched ?? 'no',
      backup: known?.backup ?? null,
      boot_entry: known?.boot_entry ?? null,
      host_key: known?.host_key ?? null,
      kind: known?.kind ?? (settings.kind === 'auto' ? 'tcrp' : settings.kind),
      ...{ model: settings.model, dsm: settings.platform, verdict: check?.verdict ?? null, log: name },
    };
    const runLog = new RunLog(parts, log, record, loader);
    const adapter = parts.adapters(record.kind);
    runLog.hide(secrets(parts));
    if (before?.backup && !known) runLog.say(`${before.backup.file} stays: it is of another domain, ${before.uuid}`);
    return { parts, adapter, runLog, signal, progress, account: newAccount(), ran: domain?.active === true };
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/**
 * Runs one phase: reports it first, and ends it when its time is up. Rejects with what ended it; the reason of the run's
 * own signal comes first. Rejects with `NotOurs` when another domain has the VM's name.
 */
export async function phase<T>(run: Run, name: RunningPhase, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { runLog, signal, progress } = run;
  signal.throwIfAborted();
  await runLog.phase(name);
  mustBeOurs(run);
  const { title, within } = phases[name];
  progress(`${name}: ${title}`);
  const time = within === null ? null : AbortSignal.timeout(within);
  try {
    return await act(time ? AbortSignal.any([signal, time]) : signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!time?.aborted) throw error;
    const message = `${title} took longer than ${Math.round((within ?? 0) / 60_000)} minutes.`;
    throw new LoaderFailure('timed_out', message, null, { cause: error });
  }
}

export function mustBeOurs({ parts: { power }, runLog: { record } }: Run): void {
  const other = otherDomain(power.vm.domain, record);
  if (other) throw other;
}

/** The error if this is not the record's domain; null: it is, or there is none. */
export function otherDomain(domain: Domain | null, { uuid, backup }: LoaderRecord): NotOurs | null {
  if (!domain || domain.uuid === uuid) return null;
  const message = `The domain ${domain.name} is another one now: its UUID is ${domain.uuid}, and ${uuid || 'an unknown one'} was expected.`;
  return new NotOurs('other_domain', message, backup?.file ?? null);
}

/** Milliseconds that a rebuild or rollback may take at most, `shutdown` of them for the guest to power off. */
export function longest(
  { guest, times, settings, adapters }: Pick<JobParts, 'guest' | 'times' | 'settings' | 'adapters'>,
  shutdown: number,
): number {
  const fixed = Object.values(phases).reduce((total, { within }) => total + (within ?? 0), 0);
  const facts = { map: { SataPortMap: '', DiskIdxMap: '' }, deviceTree: false, usbDisks: 1, usbIds: null };
  const kinds: readonly LoaderKind[] = settings.kind === 'auto' ? ['tcrp', 'rr'] : [settings.kind];
  const builds = kinds.map(kind =>
    adapters(kind)
      .plan(settings, facts)
      .reduce((sum, { timeout }) => sum + timeout, 0),
  );
  const build = Math.max(...builds);
  return fixed + build + 2 * shutdown + times.connect + 2 * (4 * guest.bootGrace + times.settle);
}

/** What the log must hide: passwords, and the domain's MACs. */
function secrets({ settings, power }: JobParts): string[] {
  const macs = (power.vm.domain?.hardware.nics ?? []).map(({ mac }) => mac);
  const passwords = [settings.ssh.password].filter(word => word !== null);
  return [...passwords, ...macs, ...macs.map(mac => mac.replaceAll(':', ''))];
}
