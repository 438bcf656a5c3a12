import { readFileSync } from 'node:fs';
import type { Path } from '../src/config/problem.ts';
import { leafPaths, pathText, type Shape, shapeAt } from '../src/config/shape.ts';
import { code, fillIn, keep, table } from './page.ts';

/**
 * Fills the generated part of docs/configuration.md from the schema: `node scripts/config-doc.ts --write`, without it
 * checks that it is current. Everything between the markers is the script's.
 */

const file = new URL('../docs/configuration.md', import.meta.url);

/** The page with its part as the schema has it. */
export function filled(page: string): string {
  return fillIn(page, { keys: keyTable });
}

function keyTable(): string {
  const rows = leafPaths().map(path => {
    const shape = shapeAt(path);
    return [
      code(pathText(path).replaceAll('[0]', '[]')),
      kindOf(shape),
      defaultOf(shape, path),
      shape?.description ?? '',
    ];
  });
  return table(
    ['Key', 'Holds', 'Default', ''],
    rows.map(row => row.map(cell => cell.replaceAll('|', '\\|').replaceAll('<', '&lt;'))),
  );
}

function kindOf(shape: Shape | null): string {
  if (!shape) return '';
  if (shape.enum) return shape.enum.map(code).join(', ');
  if (shape.anyOf?.some(one => one.items)) return `text like ${code(String(shape.examples?.[0]))}, or a list of texts`;
  if (shape.anyOf) return 'a word, or a section';
  if (shape.type === 'array') return `a list of ${shape.items?.enum ? 'words' : plural(shape.items)}`;
  if (shape.type === 'integer') return 'a whole number';
  if (shape.type === 'boolean') return '`true`, `false`';
  return shape.examples ? `text like ${code(String(shape.examples[0]))}` : 'text';
}

function plural(shape: Shape | undefined): string {
  return shape?.type === 'integer' ? 'whole numbers' : 'texts';
}

function defaultOf(shape: Shape | null, path: Path): string {
  if (required(path)) return '**required**';
  return shape?.default === undefined ? '' : code(JSON.stringify(shape.default).replace(/^"(.*)"$/, '$1'));
}

/** Whether a section that is there must have it. */
function required(path: Path): boolean {
  const parent = shapeAt(path.slice(0, -1)) as { required?: readonly string[] } | null;
  return parent?.required?.includes(String(path.at(-1))) ?? false;
}

if (process.argv[1] === import.meta.filename) keep(file, filled(readFileSync(file, 'utf8')), import.meta.filename);
