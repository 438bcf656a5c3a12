import { type Cause, diagnoses } from './diagnoses.ts';

/** Fills the sentences of a diagnosis, which are in diagnoses.ts, with what was found. Pure. */

/** What replaces the braces; `services` and the names of probes are whole sentences of the probes. */
export type Facts = Readonly<
  Record<'domain' | 'instead' | 'address' | 'port' | 'ports' | 'closed' | 'mac' | 'tap' | 'source', string> &
    Record<'guest' | 'age' | 'grace' | 'bridge' | 'neighbour' | 'web' | 'http' | 'ssh' | 'agent' | 'services', string>
>;

/** The sentence and the next step of a diagnosis. */
export function messageOf(cause: Cause, facts: Facts): { reason: string; next: string | null } {
  const { reason, next } = diagnoses[cause];
  const fill = (text: string) =>
    withGuest(text, facts.guest)
      .replaceAll(/\{(\w+)\}/g, (_, name: keyof Facts) => facts[name] ?? '')
      .trim();
  return { reason: fill(reason), next: next === null ? null : fill(next) };
}

/** A sentence that is about `guest`, which has a capital at its beginning. */
export function withGuest(text: string, guest: string): string {
  return text.replace(/^\{guest\}/, guest.charAt(0).toUpperCase() + guest.slice(1)).replaceAll('{guest}', guest);
}

/** `less than a minute`, `12 min`, `3 h`, `5 days`: if it were finer, the sentence would change at every check. */
export function span(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2_880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} days`;
}
