import { setTimeout as delay } from 'node:timers/promises';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import { type Account, newAccount } from '../../ssh/account.ts';
import { runCommand } from '../../ssh/command.ts';
import { isSshError, SshError } from '../../ssh/errors.ts';
import type { Credentials } from '../../ssh/login.ts';
import type { SshSession } from '../../ssh/session.ts';
import { probeTcp } from '../../util/tcp-probe.ts';
import type { LoaderAdapter } from '../kinds/adapter.ts';
import { LoaderFailure, mustSucceed } from './failure.ts';
import type { GuestKind, JobParts } from './parts.ts';
import type { Run } from './run.ts';
import type { RunLog } from './run-log.ts';

/** Finds the image builder, tells it from DSM before logging in, and powers it or any other guest off. */

export interface BuilderRun {
  readonly parts: Pick<JobParts, 'settings' | 'guest' | 'times'>;
  readonly adapter: LoaderAdapter;
  readonly runLog: Pick<RunLog, 'say' | 'remember'>;
  readonly account: Account;
}

/** Milliseconds for one attempt. */
const attempt = 10_000;
/** Milliseconds for a short command. */
const short = 30_000;

interface ReachOptions {
  /** Milliseconds. */
  within: number;
  /** The host key; null: the first one that the builder shows. */
  hostKey: string | null;
  /** Its configuration's text, as far as it is known. */
  config: string | null;
}

/**
 * Resolves to a session with a proven builder. Writes its host key down, and refills the run's account. Rejects as
 * `connect` does, or with `LoaderFailure`.
 */
export async function reachBuilder(
  { parts, adapter, runLog, account }: BuilderRun,
  { within, hostKey: expected, config }: ReachOptions,
  signal: AbortSignal,
): Promise<SshSession> {
  const { settings, guest, times } = parts;
  const { ssh } = settings;
  const ends = performance.now() + within;
  const left = () => Math.ceil(Math.min(attempt, Math.max(1, ends - performance.now())));
  let hostKey = expected;
  let last: Error | null = null;
  const steady = times.steady ?? adapter.builder.settle(config);
  const notSteady = `it answers, and nobody logs in before it has answered for ${Math.ceil(steady / 1_000)} s: a login would stop a loader that boots DSM`;
  let openSince: number | null = null;
  while (performance.now() < ends) {
    signal.throwIfAborted();
    const host = ssh.host ?? guest.address();
    try {
      if (host === null) {
        throw new LoaderFailure('no_address', 'The address of the image builder is not known.', 'Set `ssh.host`.');
      }
      const { answer } = await probeTcp(host, ssh.port, { timeout: left(), signal });
      // After the probe: a DSM that comes up in between would otherwise get a login.
      mustHaveNoPage(await guest.identify(host, signal), host, adapter.builder.page);
      if (answer !== 'open') {
        openSince = null;
        throw new SshError('unreachable', 'nothing answers at the SSH port');
      }
      openSince ??= performance.now();
      if (performance.now() - openSince < steady) throw new LoaderFailure('not_steady', notSteady);
      const onHostKey = (key: string) => {
        hostKey = key;
      };
      const hostKeys = hostKey === null ? null : [hostKey];
      const server = { host, port: ssh.port, hostKeys, onHostKey };
      // Only here: a bridge that rebuilds nothing needs no ssh2.
      const { connect } = await import('../../ssh/connect.ts');
      const session = await proven(
        await connect({ ...credentials(ssh, adapter), ...server, account, within: left() }, signal),
        adapter,
      );
      Object.assign(account, newAccount());
      await runLog.remember({ host_key: hostKey }).catch(async error => {
        await session.close();
        throw error;
      });
      return session;
    } catch (error) {
      signal.throwIfAborted();
      if (account.left <= 0 || !mayPass(error)) throw error;
      if (error.message !== last?.message) runLog.say(`not yet: ${error.message}`);
      last = error;
    }
    await delay(Math.min(times.look, 2_000), undefined, { signal });
  }
  throw last ?? new SshError('timed_out', 'there was no time to look for the image builder');
}

const passing: ReadonlySet<string> = new Set(['no_address', 'other_page', 'not_steady']);

function mayPass(error: unknown): error is Error {
  if (error instanceof LoaderFailure) return passing.has(error.code);
  return isSshError(error, 'unreachable', 'timed_out', 'handshake', 'connection_lost');
}

/** DSM blocks whoever fails to log in. Any page but the builder's own, if it has one, may be DSM's. */
function mustHaveNoPage(kind: GuestKind, host: string, ownPage: boolean): void {
  if (kind === 'none' || (ownPage && kind === 'loader')) return;
  const told = kind === 'dsm' || kind === 'installer';
  const who = kind === 'dsm' ? 'DSM' : kind === 'installer' ? "DSM's installer" : 'A page that may be of DSM';
  throw new LoaderFailure(
    told ? 'wrong_guest' : 'other_page',
    `${who} answers at ${host}, and not the image builder: nobody has logged in.`,
    "Look at the loader's boot menu on the VM's screen.",
  );
}

function credentials(
  { user: own, password, privateKey }: LoaderSettings['ssh'],
  { login }: LoaderAdapter,
): Credentials {
  const user = own ?? login.user;
  if (privateKey === null) return { user, password: password ?? login.password };
  return { user, privateKey, ...(password !== null && { password }) };
}

/** Proves that the machine is the builder: the run changes nothing on a DSM, or on another machine at this address. */
async function proven(session: SshSession, { builder }: LoaderAdapter): Promise<SshSession> {
  const limits = { silence: short, deadline: short, signal: AbortSignal.timeout(short) };
  const end = await runCommand(session, builder.proof, limits).catch(error => error as Error);
  if (!(end instanceof Error) && end.status === 0 && end.tail.includes('builder')) return session;
  await session.close();
  if (end instanceof Error) throw end;
  throw new LoaderFailure(
    'wrong_guest',
    `SSH has let us in, but it is not the image builder: ${builder.otherwise}`,
    "Check `ssh.host`, and look at the VM's screen; TinyCore RedPill must have its disk on USB, or it starts without its own files.",
  );
}

/** Asks the builder to power itself off; libvirt shows whether it does. A lost connection is no error here. */
export async function powerOffBuilder(
  { builder }: LoaderAdapter,
  session: SshSession,
  signal: AbortSignal,
): Promise<void> {
  const options = { silence: short, deadline: short, signal, linger: 0, grace: 0 };
  await runCommand(session, builder.powerOff, options).catch(error => {
    if (!isSshError(error) || error.code === 'cancelled') throw error;
  });
}

/** Powers the VM off, whatever runs in it. `what`: what failed if this fails, and what people can do. */
export async function powerOff(
  run: Run,
  what: { message: string; advice: string | null },
  signal: AbortSignal,
): Promise<void> {
  const { power, times } = run.parts;
  await power.read();
  if (power.vm.domain?.active === false) return;
  if ((await askBuilder(run, signal)) && (await power.goesOff(times.powerOff, signal))) return;
  mustSucceed(await power.shutDown(signal), what.message, what.advice);
}

/**
 * A builder that an earlier run left running may not hear the power button, so this asks it over SSH. The host key
 * identifies it; if that run had only started it, the checks of a rebuild do. This never logs in to DSM.
 */
async function askBuilder(run: Run, signal: AbortSignal): Promise<boolean> {
  const { times, settings } = run.parts;
  const { host_key, touched } = run.runLog.record;
  if (run.account.left <= 0 || touched === 'no' || (host_key === null && touched !== 'menu')) return false;
  try {
    const options = { within: times.again, hostKey: host_key ?? settings.ssh.hostKey, config: null };
    await using session = await reachBuilder(run, options, signal);
    await powerOffBuilder(run.adapter, session, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!isSshError(error) && !(error instanceof LoaderFailure)) throw error;
    return false;
  }
}
