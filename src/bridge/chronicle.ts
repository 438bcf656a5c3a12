import type { Happening, HappeningType } from '../model/happening.ts';
import type { VmKey } from '../model/snapshot.ts';
import type { Topics } from '../model/topics.ts';
import type { Logger } from '../util/logger.ts';

export interface ChronicleOptions {
  topics: Topics;
  /** Not retained: what is missed while the broker is away is in the log. */
  send: (publication: { topic: string; payload: string; qos: 1; retain: false }) => boolean;
  logger: Logger;
}

const troubles: ReadonlySet<HappeningType> = new Set(['crashed', 'paused_on_io_error', 'power_cut', 'interrupted']);

/** Tells what happened to a VM: on `B/V/event` and in the log. */
export class Chronicle {
  readonly #options: ChronicleOptions;

  constructor(options: ChronicleOptions) {
    this.#options = options;
  }

  readonly tell = (key: VmKey, happening: Happening): void => {
    const { topics, send, logger } = this.#options;
    const { event_type, command, ...fields } = happening;
    // Commands have their own lines already.
    if (command === undefined || event_type === 'interrupted') {
      logger[troubles.has(event_type) ? 'warn' : 'info']({ ...fields, event: `vm.${event_type}`, vm: key }, 'VM');
    }
    send({ topic: topics.vm(key).event, payload: JSON.stringify(happening), qos: 1, retain: false });
  };
}
