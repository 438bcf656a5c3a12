import type { Clock } from '../../util/clock.ts';

/** One run of a machine, from power on to off: how long it has been on, and whether DSM was up in it. */
export interface Run {
  /** libvirt's id of it. */
  id: number;
  /** When it was powered on, or last reset, by the clock that only goes on; null: nobody knows. */
  since: number | null;
  /** That was seen. If not, it is only known to be no earlier. */
  exact: boolean;
  wasUp: boolean;
  /** From then until DSM was up. */
  bootSeconds: number | null;
}

/** What this machine knows of its own start. */
export interface Host {
  /** Another one after every boot; null: libvirt's host is another machine, whose boots are not seen. */
  boot: string | null;
  /** Milliseconds since it booted. */
  uptime(): number;
}

/** One that was seen in an earlier life of the bridge: its times are milliseconds since 1970. */
export type KnownRun = Run & { boot: string };

/** A domain that is seen to run: the run that was known, if it is still that one, else what can be said of it. */
export function runOf(
  seen: { id: number; startedAt: string | null },
  known: KnownRun | null,
  host: Host,
  clock: Clock,
): Run {
  const { id, startedAt } = seen;
  const ago = (date: number) => clock.now() - Math.max(0, clock.date() - date);
  if (startedAt !== null) return { ...begun, id, since: ago(Date.parse(startedAt)), exact: true };
  // Ids begin anew with the host.
  if (known && known.id === id && known.boot === host.boot) {
    const { since, exact, wasUp, bootSeconds } = known;
    return { id, since: since === null ? null : ago(since), exact, wasUp, bootSeconds };
  }
  // Not earlier than its host at any rate: after a power failure both begin, and the bridge last.
  return { ...begun, id, since: host.boot === null ? null : clock.now() - host.uptime(), exact: false };
}

const begun = { wasUp: false, bootSeconds: null } as const;

/** It was reset: all begins anew, but for its id. */
export function resetAt({ id }: Run, now: number): Run {
  return { ...begun, id, since: now, exact: true };
}

/** DSM was found to be up. */
export function upAt(run: Run, now: number): Run {
  if (run.wasUp) return run;
  const seconds = run.since === null || !run.exact ? null : Math.max(0, Math.round((now - run.since) / 100) / 10);
  return { ...run, wasUp: true, bootSeconds: seconds };
}

/** To be known again; `since` as milliseconds since 1970. */
export function toKnown(run: Run, boot: string, clock: Clock): KnownRun {
  const since = run.since === null ? null : Math.round(clock.date() - (clock.now() - run.since));
  return { ...run, since, boot };
}
