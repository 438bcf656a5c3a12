import type { RrFault } from '../../lab/loader/rr.ts';
import type { LoaderFault } from '../../lab/loader.ts';

/**
 * What a box can suffer from. docs/lab.md tells of those of the lab. Here `drop` leaves the server listening,
 * `platform-not-found` knows no id, `odd-end` ends a build in a way that nobody knows, with `hang-mount` no partition is
 * ever mounted, and with `hang-poweroff` the machine does not go off. RR suffers from `empty-config`
 * too: what is written to its configuration empties it.
 */
export type BoxFault = LoaderFault | RrFault | 'hang-mount' | 'hang-poweroff' | 'odd-end' | 'platform-not-found';
