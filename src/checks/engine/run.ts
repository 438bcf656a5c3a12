import * as z from 'zod';

/** One run of a machine, from power on to off: since when it is on, and whether DSM was up in it. */
export interface Run {
  /** libvirt's id of it. */
  id: number;
  /** When it was powered on, or last reset, by the monotonic clock; null: unknown. */
  since: number | null;
  /** `since` was observed. If not, it is only the earliest possible time. */
  exact: boolean;
  wasUp: boolean;
  /** From then until DSM was up. */
  bootSeconds: number | null;
  /** DSM reported an update when it was asked last. */
  updating: boolean;
}

/** One moment by both clocks (`Clock`). */
export interface Moment {
  date: number;
  now: number;
}

/** What this machine knows of its own start. */
export interface Host {
  /** Changes with every boot; null: libvirt's host is another machine, whose boots are not observed. */
  boot: string | null;
  /** Milliseconds since it booted. */
  uptime(): number;
}

/** The run of a domain that is running: the known one, if it is the same, else a new one. */
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
  // The run is not older than the host's boot: after a power failure both boot, and the bridge starts last.
  return { ...begun, id, since: host.boot === null ? null : at.now - host.uptime(), exact: false };
}

const begun = { wasUp: false, bootSeconds: null, updating: false } as const;

/** The machine was reset: everything but its id begins again. */
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

const text = z.string().nullable();
const number = z.number().nullable();

/** What must be kept of a VM's checks when the bridge ends. */
const known = z.object({
  /** Of the domain that all this is about. */
  uuid: text,
  /** The last run, with `since` in milliseconds since 1970; null: there is none that could be recognised. */
  run: z
    .object({
      ...{ boot: z.string(), id: z.number(), since: number, exact: z.boolean() },
      ...{ wasUp: z.boolean(), bootSeconds: number, updating: z.boolean().default(false) },
    })
    .nullable(),
  /** IPv4, where it answered last. */
  address: text,
  /** It has answered Synology's discovery. */
  discovered: z.boolean(),
  dsm: z
    .object({
      ...{ name: text, model: text, version: text, update: number },
      ...{ address: text, httpPort: number, httpsPort: number },
    })
    .nullable(),
});

/** By VM key. */
export const rememberedChecks = z.record(z.string(), known);

export type Known = z.infer<typeof known>;
export type RememberedChecks = Readonly<z.infer<typeof rememberedChecks>>;

export const nothingKnown: Known = { uuid: null, run: null, address: null, discovered: false, dsm: null };
