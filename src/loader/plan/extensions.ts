import { within } from '../../util/deadline.ts';
import type { PlatformId } from '../platforms.ts';
import type { Extension, Recipe } from './finding.ts';

/**
 * Whether an extension can be built for a DSM. Its index is JSON whose `releases` has the URL of a recipe for each
 * `ds918p_42962` (redpill-load, ext-manager.sh).
 */

export type Fetch = (url: string, init: { signal: AbortSignal }) => Promise<Response>;

/** Milliseconds, redirects included. */
const patience = 10_000;
const maxBytes = 1024 ** 2;

/** `id` null: for no DSM, so nothing is asked. Rejects with the signal's reason only. */
export function lookUp(
  urls: readonly string[],
  id: PlatformId | null,
  signal: AbortSignal,
  get: Fetch | undefined,
): Promise<readonly Extension[]> {
  const release = id && `${id.platform.prefix}_${id.build}`;
  return Promise.all(
    urls.map(async url => ({ url, recipe: release === null ? 'unknown' : await recipeOf(url, release, signal, get) })),
  );
}

/** `release`: `ds918p_42962`. Rejects with the signal's reason only. */
export function recipeOf(url: string, release: string, signal: AbortSignal, get: Fetch = fetch): Promise<Recipe> {
  if (!url.startsWith('https://')) return Promise.resolve('unknown');
  return within(patience, signal, limit => look(url, release, get, limit).catch(() => 'unknown' as const), 'unknown');
}

async function look(url: string, release: string, get: Fetch, signal: AbortSignal): Promise<Recipe> {
  const response = await get(url, { signal });
  if (!response.ok) {
    await response.body?.cancel();
    return response.status === 404 || response.status === 410 ? 'no_index' : 'unknown';
  }
  const text = await body(response);
  return text === null ? 'unknown' : judge(text, release);
}

/** Null: it is longer than any index. */
async function body({ body: stream }: Response): Promise<string | null> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of stream ?? []) {
    bytes += piece.length;
    // To leave the loop cancels the stream.
    if (bytes > maxBytes) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function judge(text: string, release: string): Recipe {
  const releases = releasesOf(text);
  if (releases === null) return 'no_index';
  return Object.hasOwn(releases, release) && typeof releases[release] === 'string' ? 'yes' : 'no';
}

/** Null: it is something else, such as the page that shows it. */
function releasesOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const releases = JSON.parse(text)?.releases;
    return typeof releases === 'object' && !Array.isArray(releases) ? releases : null;
  } catch {
    return null;
  }
}
