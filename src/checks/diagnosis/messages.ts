import { enumerate } from '../../util/enumerate.ts';
import { type Cause, diagnoses } from './table.ts';

/** The sentences of a diagnosis, with what was found in them. Pure. */

/** What fills the braces. */
export interface Facts {
  domain: string;
  /** What libvirt has instead of that domain. */
  instead: string;
  address: string | null;
  /** Of DSM's page. */
  port: number;
  /** The configured ones, and those that do not accept. */
  ports: readonly number[];
  closed: readonly number[];
  mac: string | null;
  tap: string | null;
  source: string | null;
  /** Milliseconds since power on; null: nobody knows. */
  age: number | null;
  grace: number;
  /** The probes' own sentences. */
  bridge: string;
  neighbour: string;
  web: string;
}

/** The sentence and the next step of a diagnosis, with what was found. */
export function messageOf(cause: Cause, facts: Facts): { reason: string; next: string | null } {
  const { reason, next } = diagnoses[cause];
  const { address, ports, closed, mac, tap, source, age, grace, ...texts } = facts;
  const words = new Map<string, string | number>(
    Object.entries({
      ...texts,
      ...{ address: address ?? 'its address', ports: enumerate(ports), closed: enumerate(closed) },
      ...{ mac: mac ?? 'MAC', tap: tap ?? 'TAP', source: source ?? 'BRIDGE' },
      ...{ age: age === null ? 'a while' : span(age), grace: span(grace) },
    }),
  );
  const fill = (text: string) => text.replaceAll(/\{(\w+)\}/g, (_, name: string) => `${words.get(name) ?? ''}`).trim();
  return { reason: fill(reason), next: next === null ? null : fill(next) };
}

/** `less than a minute`, `12 min`, `3 h`, `5 days`: no finer, or the sentence would be another one at every check. */
export function span(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2_880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} days`;
}
