import type { Finding } from '../model/doctor.ts';
import type { Facts } from './facts.ts';

/** Where facts come from. Those of the definition and of libvirt can be seen from another machine too. */
export type Source = 'definition' | 'libvirt' | 'loader' | 'host';

/** One row of THE table: why something matters to DSM, how to mend it, and how to see it. The page is made of these. */
export interface Rule extends Pick<Finding, 'level' | 'code' | 'message' | 'advice'> {
  /** What it needs most, and what is missing when it cannot tell. */
  source: Source;
  /** It holds for every guest, not only for DSM. */
  everyGuest?: true;
  /** What was seen, one for each finding; null: these facts do not tell. */
  find: (facts: Facts) => readonly Seen[] | null;
}

/** With a level or an advice that fits better than the rule's own. */
export type Seen = string | (Pick<Finding, 'seen'> & Partial<Pick<Finding, 'level' | 'advice'>>);
