import type { Outcome } from '../model/codes.ts';
import type { Command } from '../model/command.ts';
import type { Job } from '../model/job/job.ts';
import type { Asked } from '../model/snapshot.ts';

/** Who caused a stop, or a reset: who asked for it, and how long the request counts. Pure; times are ISO 8601. */

/** Milliseconds after a shutdown gave up in which a power-off still counts as its late success. */
export const lateness = 30 * 60_000;

/** While `job` is under way; `time` converts its monotonic milliseconds to ISO 8601. */
export function askedOf(job: Job, command: Command, before: Asked | null, time: (at: number) => string): Asked | null {
  const { stage, begunAt, deadline } = job;
  const base = { word: command.word, id: command.id, by: command.by ?? 'bridge', open: true };
  const begins = stage.at === 'calling' && (stage.call === 'start' || stage.call === 'reset');
  // It is not asked to stop, or not yet: a later stop is another one.
  if (begins || stage.at === 'pausing' || stage.at === 'holding')
    return { ...base, at: time(begunAt), until: time(begunAt), cut: false };
  const cut = stage.at === 'calling' && stage.call === 'cut_power';
  const stopping = cut || stage.at === 'pressing' || (stage.at === 'calling' && stage.call === 'guest_reboot');
  if (!stopping) return before;
  const same = before?.open === true && before.at < before.until && before.word === base.word && before.id === base.id;
  if (same && before.cut === cut) return before;
  return { ...base, at: same ? before.at : time(begunAt), until: time(deadline + lateness), cut };
}

export function askedAfter(job: Job, outcome: Outcome | null, before: Asked | null, now: string): Asked | null {
  if (!before?.open) return before;
  const { stage } = job;
  const refused = outcome?.status === 'rejected' || outcome?.code === 'libvirt_error';
  // libvirt may tell of a reset after it has answered.
  if (before.word === 'reset' && !refused) return { ...before, open: false };
  const asking = stage.at === 'pressing' || (stage.at === 'calling' && stage.call === 'guest_reboot');
  const neverAsked = asking && (outcome?.code === 'libvirt_error' || (stage.at === 'pressing' && stage.attempt === 0));
  const starting = stage.at !== 'pressing' && before.until <= before.at;
  if (outcome?.status === 'succeeded' || outcome?.status === 'rejected' || neverAsked || starting) return null;
  // A power cut that libvirt refused cannot cause the next stop.
  const cut = before.cut && outcome?.code !== 'libvirt_error';
  return { ...before, cut, open: false, until: new Date(Date.parse(now) + lateness).toISOString() };
}
