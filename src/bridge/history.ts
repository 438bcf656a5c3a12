import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Event } from '../model/event.ts';
import { type History, noHistory, type PowerLine, withLines } from '../model/history/history.ts';
import type { Snapshot, VmKey } from '../model/snapshot.ts';
import { type Line, LineFile, type ReadLines, readLines } from '../util/line-file.ts';
import type { Logger } from '../util/logger.ts';

/** The record of each VM in `data_dir`: what is in it, and how a line is added. */

const powerLine = z.object({
  at: z.iso.datetime({ offset: true }),
  what: z.enum(['start', 'up', 'reboot', 'stop']),
  by: z.string().nullable(),
  how: z.string().nullable(),
  why: z.string().nullable(),
  seconds: z.number().nullable(),
  seen: z.boolean(),
  good: z.boolean(),
});

/** The run of a domain, as libvirt counts them; without the host's boot an id says nothing. */
export interface Run {
  /** The name of its host; null: it is the only one. */
  host: string | null;
  uuid: string;
  boot: string | null;
  id: number;
}

const run = z.object({
  host: z.string().nullable().default(null),
  uuid: z.string(),
  boot: z.string().nullable(),
  id: z.number(),
});

/** What says which run it is in, or that it is in none. */
const runLine = z.object({ what: z.enum(['start', 'moved', 'stop']), run: run.nullish().catch(null) });

/** The run that it was last in; null: it has stopped, or that is not known. */
function lastRun(lines: readonly unknown[]): Run | null {
  const known = lines.flatMap(line => runLine.safeParse(line).data ?? []);
  return known.at(-1)?.run ?? null;
}

/** The lines about its power, the oldest first; others may stand between them. */
export function powerLines(lines: readonly unknown[]): PowerLine[] {
  return lines.flatMap(line => powerLine.safeParse(line).data ?? []);
}

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

export function readRecord(folder: string, key: VmKey): Promise<ReadLines> {
  return readLines(pathOf(folder, key));
}

/** One file for each VM, so that no VM's lines push out another's. */
function pathOf(folder: string, key: VmKey): string {
  return join(folder, 'history', key);
}

export class Records {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #files = new Map<VmKey, LineFile>();
  /** As they were loaded. */
  readonly runs = new Map<VmKey, Run>();

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** What the records of these VMs say. One that cannot be read is not a failure. */
  async load(keys: readonly VmKey[]): Promise<Readonly<Record<VmKey, History>>> {
    // Of many VMs, few may have one.
    const names = new Set(await readdir(join(this.#folder, 'history')).catch(() => []));
    const there = keys.filter(key => names.has(`${key}.jsonl`) || names.has(`${key}.1.jsonl`));
    const read = there.map(async key => {
      const { lines } = await readRecord(this.#folder, key).catch((error: Error) => {
        const fields = { event: 'record.unreadable', vm: key, reason: error.message };
        this.#logger.warn(fields, 'the record cannot be read: nothing of it is known');
        return { lines: [] };
      });
      const run = lastRun(lines);
      if (run) this.runs.set(key, run);
      return [key, { ...withLines(noHistory, powerLines(lines)), added: [] }] as const;
    });
    return Object.fromEntries(await Promise.all(read));
  }

  /** Must receive every event, after the snapshot has taken it. `run`: the one that a start begins. */
  hear(event: Event, before: Snapshot, { vms }: Snapshot, run: (key: VmKey) => Run | null = () => null): void {
    if (!('key' in event)) return;
    const { key } = event;
    const history = vms[key]?.history;
    // What was added to its history on its former host is written already.
    if (event.type === 'moved' && event.vm.domain) {
      const line = { at: event.at, what: 'moved', path: event.path, run: run(key) };
      this.#append(key, [line]);
    } else if (event.type !== 'moved' && history && history !== before.vms[key]?.history)
      this.#append(
        key,
        history.added.map(line => (line.what === 'start' ? { ...line, run: run(key) } : line)),
      );
  }

  #append(key: VmKey, lines: readonly Line[]): void {
    const file = this.#files.get(key) ?? new LineFile({ path: pathOf(this.#folder, key), logger: this.#logger });
    this.#files.set(key, file);
    file.append(lines);
  }

  /** Resolves when all is written, or cannot be written now. */
  async settled(): Promise<void> {
    await Promise.all([...this.#files.values()].map(file => file.settled()));
  }
}
