import type { Publisher } from '../../bridge/publisher.ts';
import type { SimpleCommands } from '../../commands/simple.ts';
import type { Rebuilds } from '../../loader/rebuilds.ts';
import { callPatience } from '../../model/job/job.ts';
import type { VmKey } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import { attempt } from '../../vm/power.ts';
import type { QuietTimes } from '../quiet.ts';
import type { RunningChecks } from './checks.ts';
import type { Hypervisor, TakePicture } from './power.ts';
import type { Statistics } from './statistics.ts';

export interface SimpleCommandsParts {
  state: State;
  hypervisor: Pick<Hypervisor, 'watch'>;
  statistics: Statistics;
  takePicture: TakePicture;
  checks: RunningChecks['checks'];
  /** Null: no VM has a loader. */
  rebuilds: Rebuilds | null;
  publisher: Publisher;
  quiet: QuietTimes;
}

/** Commands that need no job place: they change nothing that a job also changes. */
export function simpleCommands(parts: SimpleCommandsParts): SimpleCommands {
  const { state, hypervisor, statistics, takePicture, checks, rebuilds, publisher, quiet } = parts;
  const { watch } = hypervisor;
  const change = { timeout: callPatience.change };
  const refOf = (key: VmKey) => watch.target(key)?.ref ?? null;
  const read = async (key: VmKey) => {
    await watch.hint(key);
    statistics.sample();
  };
  return {
    refresh: async key => {
      await read(key);
      publisher.again(state.snapshot, key);
      return 'read and published again';
    },
    arm: async (key, { enabled }) => rebuilds?.arm(key, enabled === true) ?? 'no loader is configured',
    check: key => checks.check(key),
    quiet: async (key, command) => quiet.command(key, command),
    autostart: async (key, command) => {
      const enabled = command.enabled === true;
      const failure = await attempt(watch.client, refOf(key), (client, ref) =>
        client.setAutostart(ref, enabled, change),
      );
      // libvirt has no event for it.
      await read(key);
      return failure ?? (enabled ? 'it starts with the host' : 'it does not start with the host');
    },
    screenshot: async key => {
      const picture = await takePicture(key);
      if (!Buffer.isBuffer(picture)) return picture;
      if (publisher.screen(key, picture)) return `${picture.length} bytes of PNG`;
      const message = 'the broker did not take the picture: it is away, or the picture too large';
      return { kind: 'failed', code: 'outcome_unknown', message };
    },
  };
}
