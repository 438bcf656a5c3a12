import { mkdirSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import type { Environment } from '../config/environment.ts';
import { version } from '../util/version.ts';

/** What makes the next start quicker. Where it cannot be kept, or others could change it, all goes on without. */

/** `$XDG_CACHE_HOME/dsm2mqtt` or `~/.cache/dsm2mqtt`, made if need be; null: there is none that can be trusted. */
export function cacheFolder(env: Environment): string | null {
  const named = env['XDG_CACHE_HOME'] ?? '';
  try {
    const folder = join(isAbsolute(named) ? named : join(homedir(), '.cache'), 'dsm2mqtt');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const real = realpathSync(folder);
    return isOurs(real) ? real : null;
  } catch {
    return null;
  }
}

/** Whether nobody but root and this user can change what is in the folder, or put another in its place. */
function isOurs(folder: string, leaf = true): boolean {
  const { uid, gid, mode } = statSync(folder);
  const strangers = gid === process.getegid?.() ? 0o002 : 0o022;
  // Others may write to /tmp, but not replace what is not theirs.
  const shared = (mode & strangers) !== 0 && (leaf || (mode & 0o1000) === 0);
  if (shared || (uid !== 0 && uid !== process.geteuid?.())) return false;
  const parent = dirname(folder);
  return parent === folder || isOurs(parent, false);
}

/** V8 reads what it compiled before, and writes at the end what is new. Removes what another version has left. */
export function useCompiledCode(env: Environment): void {
  // From source, every change would leave another file.
  const folder = import.meta.filename.endsWith('.ts') ? null : cacheFolder(env);
  if (folder === null) return;
  const name = `code-${version}-${process.versions.node}`;
  enableCompileCache(join(folder, name));
  try {
    for (const other of readdirSync(folder)) {
      if (other.startsWith('code-') && other !== name) rmSync(join(folder, other), { recursive: true });
    }
  } catch {
    // It is tried again at the next start.
  }
}
