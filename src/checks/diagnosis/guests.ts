import type { GuestKind } from '../../model/check.ts';
import { diagnose } from './diagnose.ts';
import { diagnoseOther } from './diagnose-other.ts';
import type { Cause } from './diagnoses.ts';
import type { Evidence, OtherEvidence } from './evidence.ts';

interface Guest {
  /** In a sentence. */
  name: string;
  diagnose: (evidence: Evidence & OtherEvidence) => Cause;
}

/** What is particular to each kind of guest. */
export const guests: Readonly<Record<GuestKind, Guest>> = {
  dsm: { name: 'DSM', diagnose },
  other: { name: 'the guest', diagnose: diagnoseOther },
};
