import { failed, type Outcome, rejected, succeeded } from '../codes.ts';
import type { Call } from '../commands.ts';
import type { Domain } from '../domain.ts';
import { endOf, hindrance } from './ending.ts';
import { type Guest, unknownGuest } from './guest.ts';
import { goOn, type Hold, hold } from './holding.ts';
import {
  type CallFailure,
  type Job,
  type JobInput,
  nextPress,
  type Plan,
  type Step,
  type Ticket,
  verdictNow,
} from './job.ts';
import { calling, over, progress, seconds, startAfter, startAgain, stay } from './moves.ts';
import {
  ask,
  deafness,
  fragility,
  isUnwatched,
  portsTell,
  press,
  unheard,
  unwatched,
  withDeafness,
} from './pressing.ts';

/** The machine: how a job begins, and what each input does to it. */

export interface Beginning extends Pick<Job, 'word' | 'uuid' | 'guest'> {
  ticket: Ticket;
  plan: Plan;
  /** How a start or a resume is done, and whether the guest reboots itself. */
  call: Call;
  /** Milliseconds since it was seen to stop; null if its stop was not seen. */
  offFor: number | null;
  /** Other VMs shut down before it. */
  hold?: Hold | undefined;
}

export function begin(beginning: Beginning, now: number): Step {
  const { word, uuid, ticket, plan, call, offFor, guest } = beginning;
  const times = { begunAt: now, deadline: now, up: true, serial: 0 };
  const base = { word, uuid, tickets: [ticket], keptStart: null, plan, guest, ...times };
  if (call === 'start') {
    return startAfter({ ...base, stage: { at: 'calling', call } }, plan.pause - (offFor ?? plan.pause), now);
  }
  if (call !== 'press') return calling({ ...base, stage: { at: 'calling', call } }, call, now);
  const job: Job = { ...base, deadline: now + plan.timeout, stage: { at: 'holding', reserve: 0 } };
  return beginning.hold ? hold(job, beginning.hold, now) : ask(job, now);
}

export function step(job: Job, input: JobInput, now: number): Step {
  switch (input.type) {
    case 'answered':
      return answered(job, input.serial, input.failure);
    case 'domain':
      return seen(job, input.domain, now);
    case 'rebooted':
      return rebooted(job);
    case 'ports':
      return portsSeen(job, input.open, now);
    case 'guest':
      return guestSeen(job, input.guest, now);
    case 'hypervisor':
      return tick({ ...job, up: input.up }, now);
    case 'released':
      return released(job, now);
    case 'tick':
      return tick(job, now);
  }
}

function answered(job: Job, serial: number, failure: CallFailure | null): Step {
  const { stage, word } = job;
  // The answer to an earlier call is ignored.
  if (serial !== job.serial || stage.at === 'pausing') return stay(job);
  const call = stage.at === 'calling' ? stage.call : 'press';
  if (!failure) return call === 'reset' ? over(job, succeeded('done', goals.reset.done)) : stay(job);
  const { message } = failure;
  if (failure.kind === 'unanswered') return { job, effects: [progress('no_answer', message)] };
  if (stage.at === 'pressing' && stage.attempt > 1) return { job, effects: [progress('press_failed', message)] };
  if (word !== 'force_off' && call === 'cut_power') {
    const unknown = failure.code === 'outcome_unknown';
    const fate = unknown ? 'nobody knows whether its power was cut' : 'cutting its power failed too';
    const words = `the guest did not power off, and ${fate}: ${message}`;
    return over(job, failed(unknown ? 'outcome_unknown' : 'libvirt_error', words));
  }
  if (failure.kind === 'failed') return over(job, failed(failure.code, message));
  // If a reboot's start could not be sent, the reboot is not rejected: the guest was shut down.
  if (word !== 'reboot' || call !== 'start') return over(job, rejected(failure));
  return over(job, failed('libvirt_error', `it is off, and starting it failed: ${message}`));
}

/** What a call is to bring about. `reached`: that shows in the domain; missing: something else tells. */
interface Goal {
  aim: string;
  done: string;
  reached?: (domain: Domain) => boolean;
}

const runs = ({ state }: Domain) => state === 'running' || state === 'idle';
const goals: Readonly<Record<Exclude<Call, 'press'>, Goal>> = {
  start: { aim: 'run', done: 'it runs', reached: ({ active }) => active },
  wake_up: { aim: 'wake up', done: 'it runs', reached: runs },
  resume: { aim: 'run', done: 'it runs', reached: runs },
  suspend: { aim: 'pause', done: 'it is paused', reached: ({ state }) => state === 'paused' },
  reset: { aim: 'be reset', done: 'it was reset' },
  guest_reboot: { aim: 'restart', done: 'it has restarted' },
  cut_power: { aim: 'go off', done: 'its power was cut' },
};

function seen(job: Job, domain: Domain | null, now: number): Step {
  if (domain && domain.uuid !== job.uuid) return over(job, failed('domain_gone', 'the domain was replaced by another'));
  const { stage } = job;
  if (stage.at === 'pressing' || stage.at === 'holding') {
    return domain?.active ? stopped(job, hindrance(domain)) : wentOff(job, domain, now);
  }
  if (stage.at === 'pausing' || stage.call === 'start') {
    if (!domain) return over(job, failed('domain_gone', 'the domain was undefined'));
    const other = stage.at === 'pausing' ? '; somebody else started it' : '';
    return domain.active ? over(job, succeeded('done', `${goals.start.done}${other}`)) : stay(job);
  }
  const { call } = stage;
  if (call === 'cut_power') {
    if (domain?.active) return stay(job);
    // At the last moment it did power off by itself.
    return domain?.reason === 'shutdown' ? wentOff(job, domain, now) : powerIsCut(job, now);
  }
  const byGuest = call === 'guest_reboot';
  if (!domain?.active) {
    return fellOff(job, domain, byGuest ? 'it powered off instead of restarting' : 'it went off meanwhile');
  }
  if (byGuest) return stopped(job, hindrance(domain));
  const { done, reached } = goals[call];
  return reached?.(domain) ? over(job, succeeded('done', done)) : stay(job);
}

/** It went off, for any reason, while the job waited for the guest. */
function wentOff(job: Job, domain: Domain | null, now: number): Step {
  const ending = endOf(domain);
  if (ending.status === 'failed') return over(job, ending);
  if (job.word !== 'reboot') return over(job, ending, now);
  if (!domain) return over(job, failed('domain_gone', 'it is off, and libvirt has forgotten it: it cannot be started'));
  return startAgain(job, `it is off after ${seconds(now - job.begunAt)}`, now);
}

/** It went off, though no job had asked for it. */
function fellOff(job: Job, domain: Domain | null, message: string): Step {
  const ending = endOf(domain);
  return over(job, ending.status === 'failed' ? ending : failed('interfered', message));
}

function powerIsCut(job: Job, now: number): Step {
  const harm = fragility(job, now);
  const told = harm === null ? '' : `. The checks had said: ${harm}. Check whether DSM still starts`;
  if (job.word === 'force_off') return over(job, succeeded('done', `${goals.cut_power.done}${told}`));
  const words = `the guest did not power off within ${seconds(now - job.begunAt)}; its power was cut`;
  return job.word === 'reboot' ? startAgain(job, words, now) : over(job, succeeded('forced', words), now);
}

function rebooted(job: Job): Step {
  const { stage } = job;
  if (stage.at === 'calling' && (stage.call === 'guest_reboot' || stage.call === 'reset')) {
    return over(job, succeeded('done', goals[stage.call].done));
  }
  if (stage.at !== 'pressing') return stay(job);
  // It boots: what was known of the old boot no longer counts, nor do its presses.
  const anew: Job = { ...job, guest: unknownGuest, stage: { ...stage, ...unheard, probing: false, said: null } };
  return {
    job: anew,
    effects: [progress('rebooted', 'the guest restarted instead of powering off; it is asked again')],
  };
}

function portsSeen(job: Job, open: boolean | null, now: number): Step {
  const { stage } = job;
  if (stage.at !== 'pressing' || stage.closing) return stay(job);
  // Ports that were never open, or that are not DSM's, prove nothing.
  if (open === false && stage.ports === 'open' && stage.hears) {
    const closing = progress('closing', 'DSM has closed its ports: it is shutting down, and is not asked again');
    return { job: { ...job, stage: { ...stage, closing: true, probing: false } }, effects: [closing] };
  }
  const hears = stage.hears || (open === true && portsTell(job, now));
  // The first press was made when the ports were as they were found.
  const heard = stage.hears || open === null || (hears && stage.ports === 'unknown');
  const ports = open === null ? 'untold' : open ? 'open' : 'closed';
  const counted = heard ? stage.counted : 0;
  const seen: Job = { ...job, stage: { ...stage, ports, hears, counted, probing: false } };
  const due = nextPress(seen);
  // The first answer may belong to a probe from long before the press was due.
  const answered = stage.probing && stage.ports !== 'unknown' && job.up && due !== null && due <= now;
  return withDeafness(answered ? press(seen, now) : stay(seen), now);
}

function guestSeen(job: Job, guest: Guest, now: number): Step {
  const { stage } = job;
  if (stage.at === 'holding') return stay({ ...job, guest });
  if (stage.at !== 'pressing') return stay(job);
  const hears = stage.hears || guest.wasUp;
  const next: Job = {
    ...job,
    // DSM does not answer while it shuts down or restarts, so this changes nothing.
    guest: guest.verdict === 'unknown' ? job.guest : guest,
    stage: { ...stage, hears, counted: hears === stage.hears ? stage.counted : 0 },
  };
  return withDeafness(tick(next, now), now);
}

function released(job: Job, now: number): Step {
  const { stage } = job;
  // While libvirt is away, the guest cannot be asked yet.
  if (stage.at !== 'holding') return stay(job);
  return tick({ ...job, stage: { ...stage, reserve: Number.POSITIVE_INFINITY } }, now);
}

function tick(job: Job, now: number): Step {
  if (now >= job.deadline) return timeUp(job, now);
  const { stage, up } = job;
  if (!up) return stay(job);
  if (stage.at === 'holding') return now >= job.deadline - stage.reserve ? goOn(job, now) : stay(job);
  if (stage.at === 'pausing' && now >= stage.until) {
    const next = calling(job, 'start', now);
    return { ...next, effects: [progress('starting', 'starting it'), ...next.effects] };
  }
  const due = nextPress(job);
  if (stage.at !== 'pressing' || stage.probing || due === null || now < due) return stay(job);
  return { job: { ...job, stage: { ...stage, probing: true } }, effects: [{ type: 'probe' }] };
}

function timeUp(job: Job, now: number): Step {
  const { stage, plan, up } = job;
  const time = `within ${seconds(now - job.begunAt)}`;
  if (stage.at === 'pausing') {
    const message = `it is off, and ${up ? 'the time was up before it could be' : 'libvirt is away: it was not'} started`;
    if (job.word !== 'start') return over(job, failed(up ? 'timed_out' : 'outcome_unknown', message));
    return over(job, rejected({ code: up ? 'expired' : 'libvirt_unavailable', message }));
  }
  if (!up) return over(job, failed('outcome_unknown', `libvirt is away, and the time is up ${time}`));
  // This machine slept meanwhile.
  if (stage.at === 'holding') return goOn(job, now);
  if (stage.at === 'pressing') {
    const base = `the guest did not power off ${time}`;
    const harm = fragility(job, now);
    if (plan.onTimeout === 'force_off' && harm === null) {
      const doubt = verdictNow(job, now) === 'unknown' ? '; no check tells whether it is being updated' : '';
      const next = calling(job, 'cut_power', now);
      return { ...next, effects: [progress('cutting_power', `${base}${doubt}`), ...next.effects] };
    }
    const why = deafness(job, now) ?? (isUnwatched(job) ? unwatched : null);
    const uncut = plan.onTimeout === 'force_off' ? ', so that its power is not cut' : '';
    return over(job, failed('timed_out', `${base}${why ? `: ${why}${uncut}` : ''}; it is left running`));
  }
  return over(job, failed('timed_out', `it was not seen to ${goals[stage.call].aim} ${time}`));
}

function stopped(job: Job, why: Outcome | null): Step {
  return why ? over(job, why) : stay(job);
}
