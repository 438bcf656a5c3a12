import type { Config } from '../config/config.ts';
import type { Libvirt } from '../libvirt/client.ts';
import type { Event } from '../model/event.ts';
import type { State } from '../model/state.ts';
import type { Logger } from '../util/logger.ts';
import { Link } from '../vm/link.ts';
import { Poll } from '../vm/poll.ts';
import type { Hypervisor } from './power.ts';

export interface Statistics {
  /** A connection of its own, which a hung QEMU may hold up; null while it is down. */
  client(): Libvirt | null;
  /** Takes a sample now, if libvirt is there. */
  sample(): void;
  /** To be told of every event. */
  hear(event: Event): void;
  start(): void;
  close(): Promise<void>;
}

export function createStatistics(
  { libvirt }: Config,
  state: State,
  { open, watch, link: main }: Hypervisor,
  logger: Logger,
): Statistics {
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
    sample,
    hear: event => {
      // A VM that has just started is not left without numbers for an interval; its state leaves first.
      const started = event.type === 'domain' && event.domain?.active && state.snapshot.hypervisor.up;
      if (started) setImmediate(sample);
    },
    start: () => {
      link.start();
      poll.start();
    },
    close: () => {
      poll.close();
      return link.close();
    },
  };
}
