import type { Domain } from '../../src/model/domain.ts';
import type { Event } from '../../src/model/snapshot.ts';
import { Inbox } from '../mqtt/inbox.ts';

/** Every event that a part emits, and waiting for one with a deadline. */
export class Events extends Inbox<Event> {
  domain(key: string, matches: (domain: Domain | null) => boolean = () => true): Promise<Event> {
    return this.take(event => event.type === 'domain' && event.key === key && matches(event.domain));
  }

  /** What a VM's domain was told to be, in short and in order. */
  states(key: string): string[] {
    return this.all.flatMap(event =>
      event.type === 'domain' && event.key === key
        ? [event.domain ? `${event.domain.state}/${event.domain.reason}` : 'gone']
        : [],
    );
  }
}
