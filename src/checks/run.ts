/** One run of a machine, from power on to off: how long it has been on, and whether DSM was up in it. */
export interface Run {
  /** libvirt's id of it. */
  id: number;
  /** When it was powered on, or last reset, milliseconds since 1970; null: nobody knows. */
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

/** One that was seen in an earlier life of the bridge, and in which boot of the host. */
export type KnownRun = Run & { boot: string };

/** A domain that is seen to run: the run that was known, if it is still that one, else what can be said of it. */
export function runOf(
  seen: { id: number; startedAt: string | null },
  known: KnownRun | null,
  host: Host,
  now: number,
): Run {
  const { id, startedAt } = seen;
  if (startedAt !== null) return { id, since: Date.parse(startedAt), exact: true, wasUp: false, bootSeconds: null };
  // Ids begin anew with the host.
  if (known && known.id === id && known.boot === host.boot) {
    const { since, exact, wasUp, bootSeconds } = known;
    return { id, since, exact, wasUp, bootSeconds };
  }
  // Not earlier than its host at any rate: after a power failure both begin, and the bridge last.
  const since = host.boot === null ? null : now - host.uptime();
  return { id, since, exact: false, wasUp: false, bootSeconds: null };
}

/** It was reset: all begins anew, but for its id. */
export function resetAt(run: Run, now: number): Run {
  return { id: run.id, since: now, exact: true, wasUp: false, bootSeconds: null };
}

/** DSM was found to be up. */
export function upAt(run: Run, now: number): Run {
  if (run.wasUp) return run;
  const bootSeconds = run.since === null || !run.exact ? null : Math.max(0, Math.round((now - run.since) / 100) / 10);
  return { ...run, wasUp: true, bootSeconds };
}
