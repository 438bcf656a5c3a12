import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Loader, loaderPhases, loaderResults } from '../../model/loader.ts';
import type { VmKey } from '../../model/snapshot.ts';
import { replaceFile } from '../../util/replace-file.ts';

/**
 * What must be known of a rebuild even after a kill -9: a record, on the disk before what it tells of is done. Like the
 * log beside it, it has no serial number, MAC or password.
 */

const text = z.string();
const time = z.iso.datetime({ offset: true });

/**
 * How far the image on the disk may be from what it was: `menu`: only what its menu starts next; `building`: anything;
 * `built`: another one, and whole.
 */
const touches = ['no', 'menu', 'building', 'built'] as const;
export type Touched = (typeof touches)[number];

const schema = z.object({
  version: z.literal(1),
  word: z.enum(['rebuild', 'rollback']),
  phase: z.enum(loaderPhases),
  started_at: time,
  ended_at: time.nullable(),
  result: z.enum(loaderResults).nullable(),
  code: text.nullable(),
  error: text.nullable(),
  next_step: text.nullable(),
  /** Whose loader it is. */
  uuid: text,
  touched: z.enum(touches),
  /** Of the image before this was begun. */
  backup: z.object({ file: text, at: time, size: z.number() }).nullable(),
  boot_entry: text.nullable(),
  /** What the loader was to be for. */
  model: text,
  dsm: text,
  /** What was running before; null: it was off, or nobody knows. */
  verdict: text.nullable(),
  /** Of the image builder, at its latest boot. */
  host_key: text.nullable(),
  /** Name of the file that has all that was said. */
  log: text,
});
export type LoaderRecord = z.infer<typeof schema>;

/** Of the latest run; null: there was none. `damaged`: there was one, and nobody can tell. */
export async function loadRecord(folder: string, key: VmKey): Promise<LoaderRecord | 'damaged' | null> {
  try {
    return schema.safeParse(JSON.parse(await readFile(fileOf(folder, key), 'utf8'))).data ?? 'damaged';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : 'damaged';
  }
}

/** On the disk when it resolves. Rejects when it cannot be written: then nothing may be done that it would tell of. */
export async function saveRecord(folder: string, key: VmKey, record: LoaderRecord): Promise<void> {
  await replaceFile(fileOf(folder, key), `${JSON.stringify(record, null, 2)}\n`);
}

function fileOf(folder: string, key: VmKey): string {
  return join(folder, `${key}.json`);
}

/** There is a backup of the old image, and the image may be another one. */
export function mayRollBack({ backup, touched, result, phase }: LoaderRecord): boolean {
  if (!backup || touched === 'no') return false;
  return result === 'awaiting_dsm_install' || phase === 'failed' || phase === 'cancelled' || phase === 'interrupted';
}

/** The loader as people see it, with what the record says. */
export function withRecord(loader: Loader, record: LoaderRecord): Loader {
  const { phase, result, code, error, backup } = record;
  return {
    ...loader,
    ...{ phase, result, code, error },
    startedAt: record.started_at,
    endedAt: record.ended_at,
    nextStep: record.next_step,
    backup: backup ?? loader.backup,
    bootEntry: record.boot_entry,
    rollback: mayRollBack(record),
  };
}
