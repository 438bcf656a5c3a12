/**
 * What the blueprint's templates are made of, as JavaScript: `{% set %}` lines, and one `{{ }}` with comparisons, and,
 * or, not, a conditional, string joins and the tests and filters below. Anything else is an error. Home Assistant has
 * the same precedence for all of these.
 */
export function evaluate(template: string, names: Readonly<Record<string, unknown>>, home: Home): unknown {
  const [, sets = '', result] = /^((?:\{% set .+? %\}\s*)*)\{\{(.+)\}\}$/s.exec(template.trim()) ?? [];
  if (!result) throw new SyntaxError(`not one of our templates: ${template}`);
  const known = new Map(Object.entries(names));
  for (const [, name = '', value = ''] of sets.matchAll(/\{% set (\w+) = (.+?) %\}/gs)) {
    known.set(name, run(value, known, home));
  }
  return run(result, known, home);
}

/** States and attributes of entities. */
export interface Home {
  states: Readonly<Record<string, string>>;
  units?: Readonly<Record<string, string>>;
  /** Of the VM's state. */
  takes?: number | null;
}

function run(jinja: string, known: ReadonlyMap<string, unknown>, { states, units = {}, takes = null }: Home): unknown {
  const filters: Record<string, (value: never, argument?: unknown) => unknown> = {
    upper: (value: string) => value.toUpperCase(),
    regex_findall: (value: string, pattern) =>
      [...value.matchAll(new RegExp(String(pattern), 'g'))].map(([all]) => all),
    join: (value: string[], separator) => value.join(String(separator)),
    float: (value: string, otherwise) => (/^-?\d+(\.\d+)?$/.test(value) ? Number(value) : otherwise),
    to_json: (value: unknown) => JSON.stringify(value),
  };
  const scope: Record<string, unknown> = {
    ...Object.fromEntries(known),
    states: (entity: string) => states[entity] ?? 'unknown',
    state_attr: (entity: string, name: string) =>
      name === 'shutdown_expected_seconds' ? takes : (units[entity] ?? null),
    search: (text: string, pattern: string) => new RegExp(pattern).test(text),
    pick: (table: Record<string, unknown>, key: string, otherwise: unknown) => table[key] ?? otherwise,
    filter: (name: string, value: never, argument?: unknown) => {
      const found = filters[name];
      if (!found) throw new SyntaxError(`no filter ${name}`);
      return found(value, argument);
    },
  };
  return new Function(...Object.keys(scope), `return (${javascript(jinja)});`)(...Object.values(scope));
}

function javascript(jinja: string): string {
  const literals: string[] = [];
  let text = jinja.replaceAll(/'[^']*'/g, literal => `§${literals.push(literal) - 1}§`).replaceAll(/\s+/g, ' ');
  const piped = /((?:\w+\([^()]*\)|\{[^{}]*\}|filter\([^|]*\))) \| (\w+)(?:\(([^()]*)\))?/;
  while (piped.test(text)) {
    text = text.replace(piped, (_, value, name, argument) => {
      return `filter(§${literals.push(`'${name}'`) - 1}§, ${value}${argument ? `, ${argument}` : ''})`;
    });
  }
  text = text
    .replace(/^(.+) if (.+) else (.+)$/, '($2) ? ($1) : ($3)')
    .replaceAll(/(\w+) is not search\(/g, '!search($1, ')
    .replaceAll(/(\w+) is search\(/g, 'search($1, ')
    .replaceAll(/(\{[^{}]*\})\.get\(/g, 'pick($1, ')
    .replaceAll(/(\d+) <= (\w+) < (\w+)/g, '($1 <= $2 && $2 < $3)')
    .replaceAll(/\band\b/g, '&&')
    .replaceAll(/\bor\b/g, '||')
    .replaceAll(/\bnot\b/g, '!')
    .replaceAll(/\bnone\b/g, 'null')
    .replaceAll('~', '+');
  return text.replaceAll(/§(\d+)§/g, (_, at) => literals[Number(at)] ?? '');
}
