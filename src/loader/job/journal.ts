import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type Loader, loaderPhases, loaderResults } from '../../model/loader.ts';
import type { VmKey } from '../../model/snapshot.ts';
import { replaceFile } from '../../util/replace-file.ts';

/**
 * The journal: one record a VM, on the disk before the run does what it says, so that it survives a kill -9. Like the log
 * beside it, it has no serial number, MAC or password.
 */

const text = z.string();
const time = z.iso.datetime({ offset: true });

/**
 * What may have changed in the image: `menu`: what its boot menu starts next; `building`: anything, and it may be half
 * built; `built`: the loader is new and complete.
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
  uuid: text,
  touched: z.enum(touches),
  /** Of the image before the run. */
  backup: z.object({ file: text, at: time, size: z.number() }).nullable(),
  boot_entry: text.nullable(),
  /** Of the loader in the image. */
  kind: z.enum(['tcrp', 'rr']).catch('tcrp'),
  model: text,
  dsm: text,
  /** DSM's verdict before the run; null: off, or not known. */
  verdict: text.nullable(),
  /** Of the image builder, at its latest boot. */
  host_key: text.nullable(),
  log: text,
});
export type LoaderRecord = z.infer<typeof schema>;

/** The latest run; null: there was none. `damaged`: the file cannot be read. */
export async function loadRecord(folder: string, key: VmKey): Promise<LoaderRecord | 'damaged' | null> {
  try {
    return schema.safeParse(JSON.parse(await readFile(fileOf(folder, key), 'utf8'))).data ?? 'damaged';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : 'damaged';
  }
}

/** The record is on the disk when this resolves. If it rejects, the run must not do what the record says. */
export async function saveRecord(folder: string, key: VmKey, record: LoaderRecord): Promise<void> {
  await replaceFile(fileOf(folder, key), `${JSON.stringify(record, null, 2)}\n`);
}

function fileOf(folder: string, key: VmKey): string {
  return join(folder, `${key}.json`);
}

export function mayRollBack({ backup, touched, result, phase }: LoaderRecord): boolean {
  if (!backup || touched === 'no') return false;
  return result === 'awaiting_dsm_install' || phase === 'failed' || phase === 'cancelled' || phase === 'interrupted';
}

/** The loader as people see it, with the record's facts. */
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
