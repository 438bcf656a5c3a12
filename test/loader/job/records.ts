import type { LoaderRecord } from '../../../src/loader/job/journal.ts';

/** Of a rebuild in the middle. */
export const record: LoaderRecord = {
  ...{ version: 1, word: 'rebuild', phase: 'building', started_at: '2026-11-26T10:00:00.000Z', ended_at: null },
  ...{ result: null, code: null, error: null, next_step: null, uuid: 'u', touched: 'building' },
  backup: { file: '/b', at: '2026-11-26T10:00:00.000Z', size: 1 },
  ...{
    boot_entry: 'Tiny Core',
    kind: 'tcrp',
    model: 'DS918+',
    dsm: 'ds918p-7.1.1-42962',
    verdict: 'up',
    host_key: null,
    log: 'l',
  },
};
