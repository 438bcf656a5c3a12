/** What `test/release/make` has made. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../node_modules/.cache/dsm2mqtt/release/', import.meta.url));
/** The command that `npm install --global` has made. */
export const globalCommand = join(folder, 'global/bin/dsm2mqtt');

/** The path of the only artefact of that pattern. */
export function artefact(pattern: string): string {
  const found = globSync(pattern, { cwd: join(folder, 'first') });
  if (found.length !== 1) throw new Error(`${found.length} of ${pattern}: test/release/make makes it`);
  return join(folder, 'first', found[0] ?? '');
}
