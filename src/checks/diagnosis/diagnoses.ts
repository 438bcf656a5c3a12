import type { GuestKind } from '../../model/check.ts';
import { type Diagnosis, dsmDiagnoses } from './dsm-diagnoses.ts';
import { type OtherCause, otherDiagnoses, sharedCauses } from './other-diagnoses.ts';

/** The diagnoses of all kinds of guests: a word means the same for each. */
export type Cause = keyof typeof dsmDiagnoses | OtherCause;
export const diagnoses: Readonly<Record<Cause, Diagnosis>> = { ...dsmDiagnoses, ...otherDiagnoses };
export const causes = Object.keys(diagnoses) as readonly Cause[];
export const causesOf: Readonly<Record<GuestKind, readonly Cause[]>> = {
  dsm: Object.keys(dsmDiagnoses) as Cause[],
  other: causes.filter(cause => cause in otherDiagnoses || sharedCauses.some(shared => shared === cause)),
};
