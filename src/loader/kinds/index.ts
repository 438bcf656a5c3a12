import type { LoaderAdapter, LoaderKind } from './adapter.ts';
import { rr } from './rr/index.ts';
import { tcrp } from './tcrp/index.ts';

const adapters: Readonly<Record<LoaderKind, LoaderAdapter>> = { tcrp, rr };

/** The loaders that can be rebuilt. */
export function adapterOf(kind: LoaderKind): LoaderAdapter {
  return adapters[kind];
}
