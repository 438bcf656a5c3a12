import { join } from 'node:path';
import * as z from 'zod';
import { unknownDescription } from '../model/domain.ts';
import type { Logger } from '../util/logger.ts';
import { Store } from '../util/store.ts';
import { platforms } from './entities/entity.ts';

/** What was announced to Home Assistant, stored over restarts, so that a later start can remove what is gone. */

const word = z.string().nullable();
const count = z.number().nullable();

const hardware = z.object({
  machine: word,
  vcpus: count,
  memory: count,
  disks: z.array(
    z.object({ target: z.string(), role: z.enum(['data', 'loader', 'removable']), bus: word, source: word }),
  ),
  nics: z.array(
    z.object({
      mac: z.string(),
      model: word,
      source: word,
      tap: word,
      // Absent from what version 0.1 wrote.
      type: word.default(null),
      link: z.enum(['up', 'down']).nullable().default(null),
    }),
  ),
  // Absent from what version 0.1 wrote.
  hiddenDisks: z.boolean().default(false),
  loaderPassedThrough: z.boolean().default(false),
});

// Absent from what version 0.1 wrote.
const dsm = z.object({ model: word, version: word, url: word }).default(unknownDescription);

export const announcedSchema = z.object({
  /** By discovery topic: the platform of each component. */
  devices: z.record(z.string(), z.record(z.string(), z.enum(platforms))),
  /** The last domain seen of each VM, so that a start without libvirt can announce it. */
  vms: z.record(z.string(), z.object({ uuid: z.string(), name: z.string(), on: word.default(null), hardware, dsm })),
  /** By the host's name; empty: it is the only one. */
  hypervisors: z
    .record(z.string(), z.object({ hostname: z.string(), libvirt: z.string(), hypervisor: z.string() }))
    .default({}),
  /** Names of the storage pools, by the name of one of several hosts. */
  hosts: z.record(z.string(), z.array(z.string())).default({}),
});

export type Announced = z.infer<typeof announcedSchema>;

export const nothingAnnounced: Announced = { devices: {}, vms: {}, hypervisors: {}, hosts: {} };

/** One file for the bridge, and for whatever reads the configuration. */
export function announcedStore(folder: string, logger: Logger): Store<Announced> {
  return new Store({ path: join(folder, 'announced.json'), empty: nothingAnnounced, schema: announcedSchema, logger });
}
