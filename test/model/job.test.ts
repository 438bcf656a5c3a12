import { describe, expect, test } from 'vitest';
import type { Domain } from '../../src/model/domain.ts';
import { type Job, type JobInput, step } from '../../src/model/job.ts';
import { domain, off, otherUuid, uuid } from './samples.ts';

const job = (word: Job['command']['word']): Job => ({
  command: { word, id: null, timeout: null },
  uuid,
  timeout: 90_000,
});

const saw = (now: Domain | null): JobInput => ({ type: 'domain', domain: now });
const done = (message: string) => ({ status: 'succeeded', code: 'done', message });
const failed = (code: string, message: string) => ({ status: 'failed', code, message });

describe.each<[word: Job['command']['word'], rows: [what: string, input: JobInput, outcome: object | null][]]>([
  [
    'start',
    [
      ['still off', saw(off), null],
      ['it runs', saw(domain), done('it runs')],
      ['it runs, paused', saw({ ...domain, state: 'paused' }), done('it runs')],
      ['undefined', saw(null), failed('domain_gone', 'the domain was undefined')],
      [
        'another one runs',
        saw({ ...domain, uuid: otherUuid }),
        failed('domain_gone', 'the domain was replaced by another'),
      ],
      ['time is up', { type: 'time_up', blind: false }, failed('timed_out', 'it was not seen to run within 90 s')],
    ],
  ],
  [
    'shutdown',
    [
      ['still running', saw(domain), null],
      ['on its way', saw({ ...domain, state: 'shutting_down' }), null],
      ['off', saw(off), done('it is off')],
      ['off in another way', saw({ ...off, reason: 'destroyed' }), done('it is off (destroyed)')],
      ['a transient one is gone', saw(null), done('it is off')],
      ['another one', saw({ ...off, uuid: otherUuid }), failed('domain_gone', 'the domain was replaced by another')],
      [
        'time is up',
        { type: 'time_up', blind: false },
        failed('timed_out', 'the guest did not power off within 90 s; it is left running'),
      ],
    ],
  ],
])('%s', (word, rows) => {
  test.each(rows)('%s', (_, input, outcome) => {
    expect(step(job(word), input)).toEqual(outcome ? { outcome } : { job: job(word) });
  });

  test('time is up while libvirt is away: nobody knows', () => {
    expect(step(job(word), { type: 'time_up', blind: true })).toMatchObject({
      outcome: { status: 'failed', code: 'outcome_unknown' },
    });
  });

  test('libvirt refuses', () => {
    const why = { status: 'rejected', code: 'read_only', message: 'no' } as const;
    expect(step(job(word), { type: 'call_failed', ...why })).toEqual({ outcome: why });
  });
});
