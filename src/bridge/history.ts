import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { verdicts } from '../model/check.ts';
import { noHistory, type PowerLine, withLines } from '../model/history/history.ts';
import { lineOf, uptimeFrom } from '../model/history/uptime.ts';
import type { Event, Snapshot, VmKey, VmSnapshot } from '../model/snapshot.ts';
import { type Line, LineFile, type ReadLines, readLines } from '../util/line-file.ts';
import type { Logger } from '../util/logger.ts';

/** The record of each VM in `data_dir`: what is in it, and how a line is added. */

const time = z.iso.datetime({ offset: true });

const powerLine = z.object({
  at: time,
  what: z.enum(['start', 'up', 'reboot', 'stop']),
  by: z.string().nullable(),
  how: z.string().nullable(),
  why: z.string().nullable(),
  seconds: z.number().nullable(),
  seen: z.boolean(),
  good: z.boolean(),
});

const checksLine = z.object({
  what: z.literal('checks'),
  ...{ at: time, from: time, up: z.number(), meant: z.number(), checks: z.number(), answers: z.number() },
  ms: z.number().nullable(),
});

const verdictLine = z.object({
  what: z.literal('verdict'),
  ...{ at: time, verdict: z.enum(verdicts), problem: z.boolean().nullable(), reason: z.string() },
});

const loaderLine = z.object({
  what: z.enum(['rebuild', 'rollback']),
  ...{ at: time, by: z.string().nullable(), result: z.string(), seconds: z.number().nullable() },
});

const quietLine = z.object({
  what: z.literal('quiet'),
  ...{ at: time, until: z.string().nullable(), by: z.string().nullable() },
});

/** The run of a domain, as libvirt counts them; without the host's boot an id says nothing. */
const run = z.object({
  /** The name of its host; null: it is the only one. */
  host: z.string().nullable().default(null),
  uuid: z.string(),
  boot: z.string().nullable(),
  id: z.number(),
});
export type Run = z.infer<typeof run>;

/** What says which run it is in, or that it is in none. */
const runLine = z.object({ what: z.enum(['start', 'moved', 'stop']), run: run.nullish().catch(null) });

const linesAs =
  <T>(schema: z.ZodType<T>) =>
  (lines: readonly unknown[]): T[] =>
    lines.flatMap(line => schema.safeParse(line).data ?? []);

/** The lines about its power, the oldest first; others may stand between them. */
export const powerLines: (lines: readonly unknown[]) => PowerLine[] = linesAs(powerLine);
export const checksLines = linesAs(checksLine);
/** All but the hourly sums, which are too many for people. */
export const linesToShow = linesAs(z.discriminatedUnion('what', [powerLine, verdictLine, loaderLine, quietLine]));

/** The lines with the seconds of each `up` in the line of its start or reboot, so that each has one line. */
export function withBootTimes(lines: readonly unknown[]): unknown[] {
  let start: { seconds: number | null; good: boolean } | null = null;
  return lines.flatMap(line => {
    const { data } = powerLine.safeParse(line);
    if (data?.what === 'up' && start) {
      Object.assign(start, { seconds: data.seconds, good: data.good });
      return [];
    }
    if (data) start = data.what === 'start' || data.what === 'reboot' ? data : null;
    return [data ?? line];
  });
}

/** In the order of time, as far as the lines of each file are. */
export async function readRecord(folder: string, key: VmKey): Promise<ReadLines> {
  const [rare, frequent] = await readBoth(folder, key);
  let next = 0;
  const lines = rare.lines.flatMap(line => {
    const from = next;
    while (next < frequent.lines.length && timeOf(frequent.lines[next]) < timeOf(line)) next += 1;
    return [...frequent.lines.slice(from, next), line];
  });
  return { lines: [...lines, ...frequent.lines.slice(next)], unreadable: rare.unreadable + frequent.unreadable };
}

export function isLine(line: unknown): line is Line {
  return typeof line === 'object' && line !== null && 'at' in line && typeof line.at === 'string';
}

function timeOf(line: unknown): string {
  return isLine(line) ? line.at : '';
}

function readBoth(folder: string, key: VmKey): Promise<[ReadLines, ReadLines]> {
  return Promise.all([readLines(pathOf(folder, key)), readLines(pathOf(folder, key, 'checks'))]);
}

/** What an event says by itself, beside what follows from it for the VM. */
function linesOf(event: Event, run: (key: VmKey) => Run | null): Line[] {
  switch (event.type) {
    case 'loader_ended': {
      const { at, word: what, by, result, code, seconds } = event;
      return [{ at, ...{ what, result, code, seconds, by } }];
    }
    case 'quiet':
      return [{ at: event.at, ...{ what: event.type, until: event.quiet?.until ?? null, by: event.by } }];
    case 'moved':
      return event.vm.domain ? [{ at: event.at, ...{ what: event.type, path: event.path, run: run(event.key) } }] : [];
    default:
      return [];
  }
}

/** No VM's lines push out another's, and those of the checks, which are many, not those of stops and starts. */
function pathOf(folder: string, key: VmKey, of?: 'checks'): string {
  return join(folder, 'history', of ? `${key}.${of}` : key);
}

/** Bytes. 90 days of hourly sums and of as many verdicts as a day may have fit into one file. */
const largest = { power: 2 ** 20, checks: 2 ** 22 };

type Recorded = Pick<VmSnapshot, 'history' | 'uptime'>;

export class Records {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #files = new Map<string, LineFile>();
  /** As they were loaded. */
  readonly runs = new Map<VmKey, Run>();

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** What the records of these VMs say. One that cannot be read is not a failure. */
  async load(keys: readonly VmKey[], now = Date.now()): Promise<Readonly<Record<VmKey, Recorded>>> {
    // Of many VMs, few may have one.
    const names = new Set(await readdir(join(this.#folder, 'history')).catch(() => []));
    const suffixes = ['', '.1', '.checks', '.checks.1'];
    const there = keys.filter(key => suffixes.some(suffix => names.has(`${key}${suffix}.jsonl`)));
    const all: [VmKey, Recorded][] = [];
    // One after the other, so that only one is in memory.
    for (const key of there) {
      const [{ lines }, { lines: checks }] = await readBoth(this.#folder, key).catch((error: Error) => {
        const fields = { event: 'record.unreadable', vm: key, reason: error.message };
        this.#logger.warn(fields, 'the record cannot be read: nothing of it is known');
        return [{ lines: [] }, { lines: [] }];
      });
      // The run that it was last in; null: it has stopped, or that is not known.
      const { run } = linesAs(runLine)(lines).at(-1) ?? {};
      if (run) this.runs.set(key, run);
      const history = { ...withLines(noHistory, powerLines(lines)), added: [] };
      all.push([key, { history, uptime: uptimeFrom(checksLines(checks), linesAs(verdictLine)(checks), now) }]);
    }
    return Object.fromEntries(all);
  }

  /** Must receive every event, after the snapshot has taken it. `run`: the one that a start begins. */
  hear(event: Event, before: Snapshot, { vms }: Snapshot, run: (key: VmKey) => Run | null = () => null): void {
    if (!('key' in event)) return;
    const { key } = event;
    const [was, is] = [before.vms[key], vms[key]];
    this.#append(key, 'power', linesOf(event, run));
    // What was added on its former host is written already.
    if (event.type === 'moved' || !is) return;
    const added = is.history === was?.history ? [] : is.history.added;
    const lines = added.map(line => (line.what === 'start' ? { ...line, run: run(key) } : line));
    this.#append(key, 'power', lines);
    if (is.uptime !== was?.uptime) this.#append(key, 'checks', is.uptime.added);
  }

  /** Writes what the hour that goes on has come to. */
  close(vms: readonly VmSnapshot[]): void {
    for (const { key, uptime } of vms) this.#append(key, 'checks', lineOf(uptime.open));
  }

  #append(key: VmKey, of: keyof typeof largest, lines: readonly Line[]): void {
    if (lines.length === 0) return;
    const path = pathOf(this.#folder, key, of === 'checks' ? of : undefined);
    const file = this.#files.get(path) ?? new LineFile({ path, largest: largest[of], logger: this.#logger });
    this.#files.set(path, file);
    file.append(lines);
  }

  /** Resolves when all is written, or cannot be written now. */
  async settled(): Promise<void> {
    await Promise.all([...this.#files.values()].map(file => file.settled()));
  }
}
