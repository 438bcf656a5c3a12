/** When the page connects, gives up and tries again. Pure; times in milliseconds. */

/** The bridge sends a comment every 15 s. */
const patience = 45_000;
/** A hidden page gives its connection back: a browser has six to one host. */
const hiddenFor = 30_000;

export function isSilent(lastByteAt: number, now: number): boolean {
  return now - lastByteAt > patience;
}

/** `hiddenSince` null: the page is seen. */
export function isWanted(hiddenSince: number | null, now: number): boolean {
  return hiddenSince === null || now - hiddenSince < hiddenFor;
}

/** Before the n-th try in a row, the first being 0. `random` from 0 to 1 keeps many pages from coming at once. */
export function delayBefore(attempt: number, random: number): number {
  return Math.min(5_000, 1_000 * 2 ** attempt) * (0.75 + random / 2);
}

/** The bridge's clock less the monotonic one, from a `Date` header of whole seconds; null: there is none. */
export function clockOffset(header: string | null, asked: number, answered: number): number | null {
  const at = header === null ? Number.NaN : Date.parse(header);
  return Number.isNaN(at) ? null : at + 500 - (asked + answered) / 2;
}

/** Small differences come from the way; a step of the bridge's clock is larger. */
export function steadied(offset: number | null, found: number | null): number | null {
  return found === null || (offset !== null && Math.abs(found - offset) < 2_000) ? offset : found;
}
