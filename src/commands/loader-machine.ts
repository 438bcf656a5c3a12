import type { JobParts } from '../loader/job/parts.ts';
import { emptyVm, type VmKey, type VmSnapshot } from '../model/snapshot.ts';
import type { SlotParts } from './power-job.ts';
import type { PowerSteps } from './vm-power.ts';

/** A VM as its rebuild sees it: what is known of it now, and its power. `steps` throws when the bridge ends. */
export function loaderMachine(
  key: VmKey,
  { snapshot, read }: Pick<SlotParts, 'snapshot' | 'read'>,
  ref: () => JobParts['machine']['ref'],
  steps: () => PowerSteps,
): JobParts['machine'] {
  const vm = (): VmSnapshot => snapshot().vms[key] ?? emptyVm(key, key);
  return {
    get vm() {
      return vm();
    },
    get ref() {
      return ref();
    },
    read: () => read(key),
    reachable: (within, signal) => steps().reachable(within, signal),
    shutDown: signal => steps().shutDown(signal),
    start: signal => steps().start(signal),
    goesOff: (within, signal) => steps().goesOff(within, signal),
    whileOff: () => steps().whileOff(),
  };
}
