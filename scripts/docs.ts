import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';

/** Runs every `*-doc.ts` here with the same arguments: `--write` writes the parts of docs/ that are made from the code. */

const folder = import.meta.dirname;
for (const script of globSync('*-doc.ts', { cwd: folder })) {
  const { status } = spawnSync(process.execPath, [join(folder, script), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exitCode ||= status ?? 1;
}
