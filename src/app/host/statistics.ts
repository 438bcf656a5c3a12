import type { HostConfig } from '../../config/config.ts';
import type { Event } from '../../model/snapshot.ts';
import type { State } from '../../model/state.ts';
import type { Logger } from '../../util/logger.ts';
import { Link } from '../../vm/link.ts';
import { Poll } from '../../vm/poll.ts';
import type { Hypervisor } from './power.ts';

export type Statistics = ReturnType<typeof createStatistics>;

/** Samples of all VMs, over their own connection, because a hung QEMU may block it. */
export function createStatistics({ libvirt }: HostConfig, state: State, hypervisor: Hypervisor, logger: Logger) {
  const { open, watch, link: main } = hypervisor;
  const vmLogger = logger.child({ part: 'vm' });
  const link = new Link({ open, quiet: true, logger: logger.child({ part: 'libvirt-stats' }) });
  const poll = new Poll({
    client: () => link.client,
    interval: libvirt.statsInterval,
    targets: () => watch.targets(),
    hint: key => watch.hint(key),
    readOnly: libvirt.readOnly,
    emit: state.dispatch,
    logger: vmLogger,
  });
  const sample = () => {
    if (link.client) poll.tick();
  };
  main.on('up', sample);
  link.on('up', sample);
  link.on('down', reason => {
    if (main.client) vmLogger.warn({ event: 'stats.unavailable', reason }, 'no connection for statistics');
    poll.tick();
  });
  return {
    client: () => link.client,
    /** Takes one now, if libvirt is there. */
    sample,
    hear: (event: Event): void => {
      // A VM that has just started gets its numbers before the next interval, but after its state.
      const started = event.type === 'domain' && event.domain?.active && state.snapshot.hypervisor.up;
      if (started) setImmediate(sample);
    },
    start: (): void => {
      link.start();
      poll.start();
    },
    close: (): Promise<void> => {
      poll.close();
      return link.close();
    },
  };
}
