import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The package's version and documentation; `package.json` is one level up from `src/` and from `dist/` alike. */
export const { version, homepage }: { version: string; homepage: string } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'),
);
