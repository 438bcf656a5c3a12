import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import type { Environment } from '../../config/environment.ts';
import { version } from '../../util/version.ts';

/** What makes the next start quicker. Where it cannot be kept, or others could change it, all goes on without. */

/** `$XDG_CACHE_HOME/dsm2mqtt` or `~/.cache/dsm2mqtt`, made if need be. Throws if it cannot be trusted. */
export function cacheFolder(env: Environment): string {
  const named = env['XDG_CACHE_HOME'] ?? '';
  const folder = join(isAbsolute(named) ? named : join(homedir(), '.cache'), 'dsm2mqtt');
  const missing: string[] = [];
  let there = folder;
  for (; !existsSync(there); there = dirname(there)) missing.unshift(there);
  // Root leaves nothing in another user's home.
  verifyOwners(realpathSync(there), there === folder);
  // See `makeFolder`.
  for (const one of missing) mkdirSync(one, { mode: 0o700 });
  const real = realpathSync(folder);
  verifyOwners(real, true);
  return real;
}

/** Throws if anybody but root and this user has a say in the folder: code comes from it. */
function verifyOwners(folder: string, itself: boolean): void {
  const { uid, mode } = statSync(folder);
  const user = process.geteuid?.();
  // Who may write to a parent could exchange the folder, though not in /tmp. Root alone is worth the attempt.
  const strict = itself || (user === 0 && (mode & 0o1000) === 0);
  if ((uid !== 0 && uid !== user) || (strict && (mode & 0o022) !== 0)) throw new Error(`others may change ${folder}`);
  if (dirname(folder) !== folder) verifyOwners(dirname(folder), false);
}

/** V8 reads what it compiled before, and writes at the end what is new. Removes what another version has left. */
export function useCompiledCode(env: Environment): void {
  // From source, every change would leave another file.
  if (import.meta.filename.endsWith('.ts')) return;
  const name = `code-${version}-${process.versions.node}`;
  try {
    const folder = cacheFolder(env);
    enableCompileCache(join(folder, name));
    for (const other of readdirSync(folder)) {
      if (other.startsWith('code-') && other !== name) rmSync(join(folder, other), { recursive: true });
    }
  } catch {}
}
