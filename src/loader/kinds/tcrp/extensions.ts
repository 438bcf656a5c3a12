import { within } from '../../../util/deadline.ts';
import { orNull } from '../../../util/or-null.ts';
import type { Known } from '../../plan/finding.ts';
import type { World } from '../../plan/world.ts';
import type { PlatformId } from '../../platforms.ts';

/**
 * Whether an extension can be built for a DSM. Its index is JSON whose `releases` has the URL of a recipe for each
 * `ds918p_42962` (redpill-load, ext-manager.sh).
 */

type Recipe = Known | 'no_index';

export interface Extension {
  url: string;
  recipe: Recipe;
}

const patience = 10_000;
const maxBytes = 1024 ** 2;

/** `id` null: for no DSM, so it asks nothing. Rejects only with the signal's reason. */
export function lookUp(
  { fetch }: Pick<World, 'fetch'>,
  urls: readonly string[],
  id: PlatformId | null,
  signal: AbortSignal,
): Promise<readonly Extension[]> {
  const release = id && `${id.platform.prefix}_${id.build}`;
  const look = (url: string) => (limit: AbortSignal) =>
    recipeOf(fetch, url, release ?? '', limit).catch((): Recipe => 'unknown');
  const asked = urls.map(async (url): Promise<Extension> => {
    const safe = release !== null && url.startsWith('https://');
    return { url, recipe: safe ? await within(patience, signal, look(url), 'unknown') : 'unknown' };
  });
  return Promise.all(asked);
}

async function recipeOf(fetch: World['fetch'], url: string, release: string, signal: AbortSignal): Promise<Recipe> {
  const response = await fetch(url, { signal });
  if (!response.ok) {
    await response.body?.cancel();
    return response.status === 404 || response.status === 410 ? 'no_index' : 'unknown';
  }
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    // No real index is longer. Leaving the loop cancels the stream.
    if (bytes > maxBytes) return 'unknown';
    pieces.push(piece);
  }
  const releases = releasesOf(Buffer.concat(pieces).toString('utf8'));
  if (releases === null) return 'no_index';
  return Object.hasOwn(releases, release) && typeof releases[release] === 'string' ? 'yes' : 'no';
}

/** Null: it is no index, such as an HTML page that shows one. */
function releasesOf(text: string): Readonly<Record<string, unknown>> | null {
  const releases = orNull(() => JSON.parse(text))?.releases;
  return typeof releases === 'object' && !Array.isArray(releases) ? releases : null;
}
