import type { Probes } from '../../../src/checks/probes.ts';
import type { LoaderAdapter, LoaderKind } from '../../../src/loader/kinds/adapter.ts';
import { adapterOf } from '../../../src/loader/kinds/index.ts';
import { world as outside } from '../rebuild-world.ts';

/** What is other in these tests than in the product: it need not wait, and knows nothing of this machine's network. */

const absent = async () => ({ kind: 'not_applicable', ms: 0, explanation: 'It was not asked.' }) as never;
const probes: Partial<Probes> = {
  ...{ bridge: absent, neighbour: absent, ping: absent },
  discovery: async () => ({ kind: 'not_applicable', ms: 0, explanation: 'It was not asked.', device: null }),
  addresses: async () => [],
};

/** Pauses are short. What a loaded machine may need long for has a minute; a test of its end sets its own. */
export const times = {
  look: 20,
  powerOff: 60_000,
  connect: 60_000,
  again: 60_000,
  settle: 500,
  tell: 5,
  question: 500,
  keys: 60_000,
  steady: 0,
  firstLook: 2 ** 30,
};

/** A guest that does not heed the power button is given up soon. */
export const impatient = {
  method: 'acpi',
  timeout: 400,
  resendEvery: 60_000,
  maxPresses: 1,
  onTimeout: 'report',
} as const;

/** A build that says nothing for two seconds is given up. */
export function hasty(kind: LoaderKind): LoaderAdapter {
  const adapter = adapterOf(kind);
  return {
    ...adapter,
    plan: (config, facts) =>
      adapter.plan(config, facts).map(step => (step.name === 'build' ? { ...step, silence: 2_000 } : step)),
  };
}

/** What is other than in the product. The image has a menu and a home of its own. */
const { menu: _, home: __, ...rest } = outside;
export const world = rest;

export const tuning = { pause: 50, probes, loader: { times, world, adapters: adapterOf } };
