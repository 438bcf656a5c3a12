import type { Known } from './store.ts';

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

/** One moment by both clocks (`Clock`). */
export interface Moment {
  date: number;
  now: number;
}

/** What this machine knows of its own start. */
export interface Host {
  /** Another one after every boot; null: libvirt's host is another machine, whose boots are not seen. */
  boot: string | null;
  /** Milliseconds since it booted. */
  uptime(): number;
}

/** The run of a domain that is seen to run: the one that was known, if it is still that one, else a new one. */
export function runOf(
  { id, startedAt }: { id: number; startedAt: string | null },
  known: Known['run'],
  host: Host,
  at: Moment,
): Run {
  const monotonic = (date: number) => at.now - Math.max(0, at.date - date);
  if (startedAt !== null) return { ...begun, id, since: monotonic(Date.parse(startedAt)), exact: true };
  // libvirt's ids start again when the host boots.
  if (known && known.id === id && known.boot === host.boot) {
    const { boot: _, since, ...run } = known;
    return { ...run, since: since === null ? null : monotonic(since) };
  }
  // It is not older than its host: after a power failure both boot, and the bridge starts last.
  return { ...begun, id, since: host.boot === null ? null : at.now - host.uptime(), exact: false };
}

const begun = { wasUp: false, bootSeconds: null } as const;

/** The machine was reset: everything starts again, except its id. */
export function resetAt({ id }: Run, now: number): Run {
  return { ...begun, id, since: now, exact: true };
}

/** DSM was found to be up. */
export function upAt(run: Run, now: number): Run {
  if (run.wasUp) return run;
  const seconds = run.since === null || !run.exact ? null : Math.max(0, Math.round((now - run.since) / 100) / 10);
  return { ...run, wasUp: true, bootSeconds: seconds };
}

/** For the store, with `since` as milliseconds since 1970. */
export function toKnown(run: Run, boot: string, at: Moment): Known['run'] {
  const since = run.since === null ? null : Math.round(at.date - (at.now - run.since));
  return { ...run, since, boot };
}
