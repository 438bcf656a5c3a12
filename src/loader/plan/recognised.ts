import type { LoaderSettings } from '../../model/loader-settings.ts';
import type { BootPartition } from '../image/boot-entry.ts';
import type { LoaderAdapter, LoaderKind } from '../kinds/adapter.ts';
import { rebuildRefusals, recognise } from '../kinds/recognise.ts';
import type { ImageFacts } from './finding.ts';

/** The kind of loader that an image is taken for. Null: the image was not read. */
export function kindOf(partition: BootPartition | null, configured: LoaderSettings['kind']): LoaderKind {
  if (configured !== 'auto') return configured;
  return partition && recognise(partition, null).kind === 'rr' ? 'rr' : 'tcrp';
}

/** Why its image cannot be rebuilt, by the loader that it is recognised as; null: it may be. */
export function refusalOf(
  partition: BootPartition,
  { kind, title }: LoaderAdapter,
  configured: LoaderSettings['kind'],
): Extract<ImageFacts, { found: 'yes' }>['refusal'] {
  const found = recognise(partition, null);
  // A menu that somebody has edited may still be of the configured kind.
  if (found.kind === kind || (found.kind === 'unknown' && configured !== 'auto')) return null;
  const refusal = rebuildRefusals[found.kind];
  if (refusal)
    return { message: `The loader's image is one of ${found.title}. ${refusal.message}`, advice: refusal.advice };
  const message = `The loader's image is one of ${found.title}, and the configuration says ${title}.`;
  return { message, advice: 'Set `kind: auto`.' };
}
