import { failed, type Outcome, rejected, succeeded } from '../codes.ts';
import type { Domain } from '../domain.ts';
import { endOf, hindrance } from './ending.ts';
import { type Guest, unknownGuest } from './guest.ts';
import {
  type Call,
  type CallFailure,
  type Job,
  type JobInput,
  leastBeforeCut,
  nextPress,
  type Plan,
  type Step,
  type Ticket,
  verdictNow,
} from './job.ts';
import { calling, over, progress, seconds, startAfter, startAgain } from './moves.ts';
import { deafness, fragility, isUnwatched, portsTell, press, unwatched, withDeafness } from './pressing.ts';

/** The machine: how a job begins, and what each thing that happens makes of it. */

export interface Beginning extends Pick<Job, 'word' | 'uuid' | 'guest'> {
  ticket: Ticket;
  plan: Plan;
  /** How a start or a resume is done, and whether the guest reboots itself. */
  call: Call;
  /** Milliseconds since it was seen to stop; null if nobody saw that. */
  offFor: number | null;
}

export function begin(beginning: Beginning, now: number): Step {
  const { word, uuid, ticket, plan, call, offFor, guest } = beginning;
  const times = { begunAt: now, deadline: now, up: true, serial: 0 };
  const base = { word, uuid, tickets: [ticket], keptStart: null, plan, guest, ...times };
  if (call === 'start')
    return startAfter({ ...base, stage: { at: 'calling', call } }, plan.pause - (offFor ?? plan.pause), now);
  if (call !== 'press') return calling({ ...base, stage: { at: 'calling', call } }, call, now);
  const least = plan.onTimeout === 'force_off' ? leastBeforeCut : 0;
  const stage = { at: 'pressing', attempt: 0, pressedAt: null, probing: false, said: null, ...unheard } as const;
  const deadline = now + Math.max(plan.timeout, least);
  const job: Job = { ...base, deadline, stage: { ...stage, hears: guest.wasUp } };
  if (nextPress(job) !== now) return withDeafness({ job, effects: [] }, now);
  const step = press(job, now);
  return withDeafness(plan.watchPorts ? { ...step, effects: [...step.effects, { type: 'probe' }] } : step, now);
}

/** As after power on. */
const unheard = { counted: 0, hears: false, closing: false, ports: 'unknown' } as const;

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
    case 'tick':
      return tick(job, now);
  }
}

function answered(job: Job, serial: number, failure: CallFailure | null): Step {
  const { stage } = job;
  // An earlier call's answer concerns nobody any more.
  if (serial !== job.serial || stage.at === 'pausing') return { job, effects: [] };
  if (!failure) {
    const done = stage.at === 'calling' && stage.call === 'reset';
    return done ? over(job, succeeded('done', 'it was reset')) : { job, effects: [] };
  }
  if (failure.kind === 'unanswered') return { job, effects: [progress('no_answer', failure.message)] };
  if (stage.at === 'pressing' && stage.attempt > 1)
    return { job, effects: [progress('press_failed', failure.message)] };
  const { message } = failure;
  if (job.word !== 'force_off' && stage.at === 'calling' && stage.call === 'cut_power') {
    const unknown = failure.kind === 'failed' && failure.code === 'outcome_unknown';
    const fate = unknown ? 'nobody knows whether its power was cut' : 'cutting its power failed too';
    const words = `the guest did not power off, and ${fate}: ${message}`;
    return over(job, failed(unknown ? 'outcome_unknown' : 'libvirt_error', words));
  }
  if (failure.kind === 'failed') return over(job, failed(failure.code, message));
  // A reboot's start that could not be sent is no rejection: the guest was shut down.
  const begun = job.word === 'reboot' && stage.at === 'calling' && stage.call === 'start';
  return over(
    job,
    begun ? failed('libvirt_error', `it is off, and starting it failed: ${message}`) : rejected(failure),
  );
}

function seen(job: Job, domain: Domain | null, now: number): Step {
  if (domain && domain.uuid !== job.uuid) return over(job, failed('domain_gone', 'the domain was replaced by another'));
  const { stage } = job;
  if (stage.at === 'pressing') return domain?.active ? stopped(job, hindrance(domain)) : wentOff(job, domain, now);
  if (stage.at === 'pausing') {
    if (!domain) return over(job, failed('domain_gone', 'the domain was undefined'));
    return domain.active ? over(job, succeeded('done', 'it runs; somebody else started it')) : { job, effects: [] };
  }
  switch (stage.call) {
    case 'start':
      if (!domain) return over(job, failed('domain_gone', 'the domain was undefined'));
      return domain.active ? over(job, succeeded('done', 'it runs')) : { job, effects: [] };
    case 'resume':
    case 'wake_up':
      if (!domain?.active) return fellOff(job, domain, 'it went off meanwhile');
      return ['running', 'idle'].includes(domain.state)
        ? over(job, succeeded('done', 'it runs'))
        : { job, effects: [] };
    case 'suspend':
      if (!domain?.active) return fellOff(job, domain, 'it went off meanwhile');
      return domain.state === 'paused' ? over(job, succeeded('done', 'it is paused')) : { job, effects: [] };
    case 'reset':
      return domain?.active ? { job, effects: [] } : fellOff(job, domain, 'it went off meanwhile');
    case 'guest_reboot':
      if (domain?.active) return stopped(job, hindrance(domain));
      return fellOff(job, domain, 'it powered off instead of restarting');
    case 'cut_power':
      if (domain?.active) return { job, effects: [] };
      // At the last moment it did power off by itself.
      return domain?.reason === 'shutdown' ? wentOff(job, domain, now) : powerIsCut(job, now);
  }
}

/** Off, in whatever way, while the guest was being waited for. */
function wentOff(job: Job, domain: Domain | null, now: number): Step {
  const ending = endOf(domain);
  if (ending.status === 'failed') return over(job, ending);
  if (job.word !== 'reboot') return over(job, ending, now);
  if (!domain) return over(job, failed('domain_gone', 'it is off, and libvirt has forgotten it: it cannot be started'));
  return startAgain(job, `it is off after ${seconds(now - job.begunAt)}`, now);
}

/** Off, where nobody asked for that. */
function fellOff(job: Job, domain: Domain | null, message: string): Step {
  const ending = endOf(domain);
  return over(job, ending.status === 'failed' ? ending : failed('interfered', message));
}

function powerIsCut(job: Job, now: number): Step {
  const harm = fragility(job, now);
  const told = harm === null ? '' : `. The checks had said: ${harm}. Look whether DSM still starts`;
  if (job.word === 'force_off') return over(job, succeeded('done', `its power was cut${told}`));
  const words = `the guest did not power off within ${seconds(now - job.begunAt)}; its power was cut`;
  return job.word === 'reboot' ? startAgain(job, words, now) : over(job, succeeded('forced', words), now);
}

function rebooted(job: Job): Step {
  const { stage } = job;
  if (stage.at === 'calling' && stage.call === 'guest_reboot') return over(job, succeeded('done', 'it has restarted'));
  if (stage.at === 'calling' && stage.call === 'reset') return over(job, succeeded('done', 'it was reset'));
  if (stage.at !== 'pressing') return { job, effects: [] };
  // It boots: what was known of it is past, and so are the presses.
  const anew: Job = { ...job, guest: unknownGuest, stage: { ...stage, ...unheard, probing: false, said: null } };
  return {
    job: anew,
    effects: [progress('rebooted', 'the guest restarted instead of powering off; it is asked again')],
  };
}

function portsSeen(job: Job, open: boolean | null, now: number): Step {
  const { stage } = job;
  if (stage.at !== 'pressing' || stage.closing) return { job, effects: [] };
  // Ports that never were open, or are another's than DSM's, tell nothing.
  if (open === false && stage.ports === 'open' && stage.hears) {
    const closing = progress('closing', 'DSM has closed its ports: it is shutting down, and is not asked again');
    return { job: { ...job, stage: { ...stage, closing: true, probing: false } }, effects: [closing] };
  }
  const hears = stage.hears || (open === true && portsTell(job, now));
  // The press at the beginning was made when the ports were as they were found.
  const heard = stage.hears || open === null || (hears && stage.ports === 'unknown');
  const ports = open === null ? 'untold' : open ? 'open' : 'closed';
  const counted = heard ? stage.counted : 0;
  const seen: Job = { ...job, stage: { ...stage, ports, hears, counted, probing: false } };
  const due = nextPress(seen);
  // The very first answer may be to a question from long before the press was due.
  const answered = stage.probing && stage.ports !== 'unknown' && job.up && due !== null && due <= now;
  return withDeafness(answered ? press(seen, now) : { job: seen, effects: [] }, now);
}

function guestSeen(job: Job, guest: Guest, now: number): Step {
  const { stage } = job;
  if (stage.at !== 'pressing') return { job, effects: [] };
  const hears = stage.hears || guest.wasUp;
  const next: Job = {
    ...job,
    // A DSM that shuts down, or restarts, falls silent: that is no news.
    guest: guest.verdict === 'unknown' ? job.guest : guest,
    stage: { ...stage, hears, counted: hears === stage.hears ? stage.counted : 0 },
  };
  return withDeafness(tick(next, now), now);
}

function tick(job: Job, now: number): Step {
  if (now >= job.deadline) return timeUp(job, now);
  const { stage, up, plan } = job;
  if (!up) return { job, effects: [] };
  if (stage.at === 'pausing' && now >= stage.until) {
    const next = calling(job, 'start', now);
    return { ...next, effects: [progress('starting', 'starting it'), ...next.effects] };
  }
  const due = nextPress(job);
  if (stage.at !== 'pressing' || stage.probing || due === null || now < due) return { job, effects: [] };
  if (!plan.watchPorts) return press(job, now);
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
  if (stage.at === 'pressing') {
    const base = `the guest did not power off ${time}`;
    const harm = fragility(job, now);
    if (plan.onTimeout === 'force_off' && harm === null) {
      const doubt = verdictNow(job, now) === 'unknown' ? '; no check tells whether DSM is being updated' : '';
      const next = calling(job, 'cut_power', now);
      return { ...next, effects: [progress('cutting_power', `${base}${doubt}`), ...next.effects] };
    }
    const why = deafness(job, now) ?? (isUnwatched(job) ? unwatched : null);
    const uncut = plan.onTimeout === 'force_off' ? ', so that its power is not cut' : '';
    return over(job, failed('timed_out', `${base}${why ? `: ${why}${uncut}` : ''}; it is left running`));
  }
  const aims = {
    start: 'run',
    wake_up: 'wake up',
    resume: 'run',
    suspend: 'pause',
    reset: 'be reset',
    guest_reboot: 'restart',
    cut_power: 'go off',
  };
  return over(job, failed('timed_out', `it was not seen to ${aims[stage.call]} ${time}`));
}

/** Something keeps the guest from powering off. */
function stopped(job: Job, why: Outcome | null): Step {
  return why ? over(job, why) : { job, effects: [] };
}
