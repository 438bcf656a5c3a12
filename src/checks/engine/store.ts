import { z } from 'zod';

/** What the checks know of a VM that must survive the bridge. */

const word = z.string().nullable();
const count = z.number().nullable();

const identity = z.object({
  name: word,
  model: word,
  version: word,
  update: count,
  address: word,
  httpPort: count,
  httpsPort: count,
});

const known = z.object({
  /** Of the domain that all this is about. */
  uuid: word,
  /** The run that was seen last; null: none that could be known again. */
  run: z
    .object({
      boot: z.string(),
      id: z.number(),
      since: count,
      exact: z.boolean(),
      wasUp: z.boolean(),
      bootSeconds: count,
    })
    .nullable(),
  /** IPv4, where it answered last. */
  address: word,
  /** It has answered Synology's discovery. */
  discovered: z.boolean(),
  dsm: identity.nullable(),
});

const schema = z.record(z.string(), known);

export type Known = z.infer<typeof known>;

/** By VM key. */
export type RememberedChecks = Readonly<Record<string, Known>>;

export const nothingKnown: Known = { uuid: null, run: null, address: null, discovered: false, dsm: null };

/** A value from a file, or null if it is something else. */
export function checkRememberedChecks(value: unknown): RememberedChecks | null {
  return schema.safeParse(value).data ?? null;
}
