/** One boot beside a good one, line by line. Pure. */

export interface Comparison {
  /** The last line that both have; null: none. */
  common: string | null;
  /** What follows it, in each. */
  here: readonly string[];
  there: readonly string[];
}

/** Numbers and the kernel's times differ in each boot. */
export function compare(lines: readonly string[], good: readonly string[]): Comparison {
  const places = new Map(good.map((line, at) => [shape(line), at]));
  const at = lines.findLastIndex(line => shape(line).length > 3 && places.has(shape(line)));
  const common = lines[at] ?? null;
  if (common === null) return { common, here: lines, there: good };
  return { common, here: lines.slice(at + 1), there: good.slice((places.get(shape(common)) ?? 0) + 1) };
}

function shape(line: string): string {
  return line.replace(/^\[\s*\d+\.\d+\]\s*/, '').replaceAll(/0x[\da-f]+|\d+/gi, '#');
}
