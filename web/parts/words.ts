import type { Verdict } from '../../src/model/check.ts';
import type { LoaderPhase } from '../../src/model/loader.ts';
import type { Activity, Phase } from '../../src/model/snapshot.ts';

/** What the stable words of the documents are called on the page. */

const verdicts: Readonly<Record<Verdict, string>> = {
  off: 'Off',
  paused: 'Paused',
  crashed: 'Crashed',
  booting: 'Booting',
  loader: 'In its loader',
  installer: 'In its installer',
  recoverable: 'To be recovered',
  starting: 'Starting',
  updating: 'Updating',
  up: 'Up',
  degraded: 'Degraded',
  unreachable: 'Unreachable',
  unknown: 'Not known',
};

export function nameOf(verdict: Verdict): string {
  return verdicts[verdict] ?? verdict;
}

export const activities: Readonly<Record<Activity, string>> = {
  none: 'A command is under way',
  starting: 'Starting',
  shutting_down: 'Shutting down',
  rebooting: 'Rebooting',
  rebuilding: 'Rebuilding the loader',
  rolling_back: 'Rolling the loader back',
};

export const phases: Readonly<Record<Phase, string>> = {
  waiting_for_dependents: 'waits for the VMs that need it',
  waiting_for_guest: 'waits for the guest to power off',
  cutting_power: 'cuts the power',
  pausing: 'is off, and starts again in a moment',
  calling: 'libvirt carries it out',
};

export const loaderSteps = {
  preflight: 'Look whether it can work',
  shutting_down: 'Shut the guest down',
  backing_up: 'Back the loader up',
  arming_builder: 'Choose the builder in the boot menu',
  booting_builder: 'Boot the builder',
  connecting: 'Log in to the builder',
  arming_dsm: 'Choose DSM in the boot menu',
  building: 'Build the loader',
  verifying: 'Verify what was built',
  booting_dsm: 'Boot DSM',
  checking: 'Wait until DSM answers',
} as const satisfies Partial<Record<LoaderPhase, string>>;

const loaderEnds: Partial<Record<LoaderPhase, string>> = {
  idle: 'No rebuild has run yet.',
  rolling_back: 'The old loader is written back',
  done: 'The last rebuild succeeded.',
  rolled_back: 'The loader was rolled back.',
  failed: 'The last rebuild failed.',
  cancelled: 'The last rebuild was cancelled.',
  interrupted: 'The bridge had ended in the middle of a rebuild.',
};

export function loaderPhase(phase: LoaderPhase): string {
  return loaderEnds[phase] ?? loaderSteps[phase as keyof typeof loaderSteps] ?? phase;
}

export const powers = { ON: 'On', OFF: 'Off' } as const;
