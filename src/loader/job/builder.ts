import { setTimeout as delay } from 'node:timers/promises';
import type { LoaderSettings } from '../../model/loader-settings.ts';
import { connect } from '../../ssh/connect.ts';
import { isSshError, SshError } from '../../ssh/errors.ts';
import { type Account, newAccount } from '../../ssh/login.ts';
import type { SshSession } from '../../ssh/session.ts';
import { probeTcp } from '../../util/tcp-probe.ts';
import type { LoaderAdapter } from '../adapter.ts';
import { LoaderFailure } from './failure.ts';
import type { Guest, GuestKind, JobTimes } from './parts.ts';

/** The image builder over SSH: found, told from DSM before anybody logs in, and powered off again. */

export interface BuilderParts {
  settings: LoaderSettings;
  adapter: LoaderAdapter;
  guest: Guest;
  times: JobTimes;
  /** Of its key at this boot. */
  hostKey: { get(): string | null; set(fingerprint: string): void };
  /** Told what it waits for. */
  say: (words: string) => void;
}

/** Milliseconds for one attempt. */
const attempt = 10_000;
/** Milliseconds for a short command. */
const short = 30_000;

/**
 * Resolves to a session with what is proven to be the builder. Rejects as `connect`, or with `LoaderFailure`. `account`:
 * of all logins of one run; a builder that was reached fills it again.
 */
export async function reachBuilder(
  parts: BuilderParts,
  account: Account,
  within: number,
  signal: AbortSignal,
): Promise<SshSession> {
  const { settings, guest, times, say } = parts;
  const ends = performance.now() + within;
  const left = () => Math.min(attempt, Math.max(1, ends - performance.now()));
  let last: Error | null = null;
  while (performance.now() < ends) {
    signal.throwIfAborted();
    const host = settings.ssh.host ?? guest.address();
    try {
      if (host === null) {
        throw new LoaderFailure('no_address', 'Nobody knows the address of the image builder.', 'Set `ssh.host`.');
      }
      const { port } = settings.ssh;
      const { answer } = await probeTcp(host, port, { timeout: left(), signal });
      // After that: what comes up between the look and the login would be met unseen.
      mustHaveNoPage(await guest.identify(host, signal), host);
      if (answer !== 'open') throw new SshError('unreachable', 'nothing answers at the SSH port');
      const session = await proven(
        await connect({ ...login(parts, host), account, within: left(), once: true }, signal),
      );
      Object.assign(account, newAccount());
      return session;
    } catch (error) {
      signal.throwIfAborted();
      if (account.left <= 0 || !mayPass(error)) throw error;
      if (error.message !== last?.message) say(`not yet: ${error.message}`);
      last = error;
    }
    await delay(Math.min(times.look, 2_000), undefined, { signal });
  }
  throw last ?? new SshError('timed_out', 'there was no time to look for the image builder');
}

/** Of these a boot may be the reason. */
function mayPass(error: unknown): error is Error {
  if (error instanceof LoaderFailure) return error.code === 'no_address' || error.code === 'other_page';
  return isSshError(error, 'unreachable', 'timed_out', 'handshake', 'connection_lost');
}

/** DSM counts failed logins, and blocks whoever makes them. The builder has no page; DSM may have one that hides it. */
function mustHaveNoPage(kind: GuestKind, host: string): void {
  if (kind === 'none') return;
  const told = kind === 'dsm' || kind === 'installer';
  const who = kind === 'dsm' ? 'DSM' : kind === 'installer' ? "DSM's installer" : 'A page that may be of DSM';
  throw new LoaderFailure(
    told ? 'wrong_guest' : 'other_page',
    `${who} answers at ${host}, and not the image builder: nobody has logged in.`,
    "Look at the loader's boot menu on the VM's screen.",
  );
}

function login({ settings, adapter, hostKey }: BuilderParts, host: string) {
  const { ssh } = settings;
  const password = ssh.password ?? (ssh.privateKey === null ? adapter.login.password : null);
  return {
    host,
    port: ssh.port,
    user: ssh.user,
    ...(password !== null && { password }),
    ...(ssh.privateKey !== null && { privateKey: ssh.privateKey }),
    hostKey:
      ssh.hostKey === null
        ? ({ policy: 'accept_new', known: hostKey } as const)
        : ({ policy: 'pinned', fingerprints: [ssh.hostKey] } as const),
  };
}

/** Whatever has let us in: nothing is done to a DSM, or to some other machine at this address. */
async function proven(session: SshSession): Promise<SshSession> {
  const end = await session
    .run('[ -x ./rploader.sh ] && ! [ -e /etc.defaults/VERSION ] && echo builder', {
      ...{ silence: short, deadline: short, signal: AbortSignal.timeout(short) },
    })
    .catch(error => error as Error);
  if (!(end instanceof Error) && end.status === 0 && end.tail.includes('builder')) return session;
  await session.close();
  if (end instanceof Error) throw end;
  throw new LoaderFailure(
    'wrong_guest',
    'SSH has let us in, but it is not the image builder: there is no rploader.sh in its home.',
    "Check `ssh.host`, and that the loader's disk is on USB; on another bus it starts without its own files.",
  );
}

/** Asks it to power itself off; whether it does is seen at libvirt. Never rejects for the connection's end. */
export async function powerOffBuilder(session: SshSession, signal: AbortSignal): Promise<void> {
  const options = { silence: short, deadline: short, signal, linger: 0, grace: 0 };
  await session.run('sync; sudo poweroff', options).catch(error => {
    if (!isSshError(error) || error.code === 'cancelled') throw error;
  });
}
