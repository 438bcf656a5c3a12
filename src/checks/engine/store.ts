import * as z from 'zod';

/** What must be kept of a VM's checks when the bridge ends. */

const text = z.string().nullable();
const number = z.number().nullable();

const known = z.object({
  /** Of the domain that all this is about. */
  uuid: text,
  /** The last run, with `since` in milliseconds since 1970; null: there is none that could be recognised. */
  run: z
    .object({
      boot: z.string(),
      id: z.number(),
      since: number,
      exact: z.boolean(),
      wasUp: z.boolean(),
      bootSeconds: number,
    })
    .nullable(),
  /** IPv4, where it answered last. */
  address: text,
  /** It has answered Synology's discovery. */
  discovered: z.boolean(),
  dsm: z
    .object({
      ...{ name: text, model: text, version: text, update: number },
      ...{ address: text, httpPort: number, httpsPort: number },
    })
    .nullable(),
});

/** By VM key. */
export const rememberedChecks = z.record(z.string(), known);

export type Known = z.infer<typeof known>;
export type RememberedChecks = Readonly<z.infer<typeof rememberedChecks>>;

export const nothingKnown: Known = { uuid: null, run: null, address: null, discovered: false, dsm: null };
