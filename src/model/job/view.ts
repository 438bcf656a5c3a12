import type { PowerWord } from '../commands.ts';
import type { Activity, Phase, Work } from '../snapshot.ts';
import type { Job, Stage } from './job.ts';

/** What the snapshot says of it; times as the caller's clock has them. */
export function workOf(job: Job, time: (at: number) => string): Work {
  const { stage } = job;
  return {
    activity: activities[job.word],
    phase: phase(stage),
    since: time(job.begunAt),
    deadline: time(job.deadline),
    attempt: stage.at === 'pressing' ? stage.attempt : null,
    startAfterOff: job.keptStart !== null,
  };
}

const activities: Record<PowerWord, Activity> = {
  start: 'starting',
  resume: 'starting',
  shutdown: 'shutting_down',
  force_off: 'shutting_down',
  reboot: 'rebooting',
  reset: 'rebooting',
  suspend: 'none',
};

function phase(stage: Stage): Phase {
  if (stage.at === 'pausing') return 'pausing';
  if (stage.at === 'pressing') return 'waiting_for_guest';
  return stage.call === 'cut_power' ? 'cutting_power' : stage.call === 'guest_reboot' ? 'waiting_for_guest' : 'calling';
}
