/** The known word that was probably meant: a typo, another spelling (`clientId`), or a part of it (`broker_url`). */
export function nearest(word: string, known: readonly string[]): string | null {
  const wanted = letters(word);
  const limit = Math.max(1, Math.floor(wanted.length / 4));
  let best: { word: string; distance: number } | null = null;
  for (const candidate of known) {
    const typos = swapped(wanted, letters(candidate)) ? 1 : editDistance(wanted, letters(candidate));
    // A shared whole word is a weaker hint than any typo within the limit.
    const distance = typos <= limit ? typos : overlaps(word, candidate) ? limit + 1 : Number.POSITIVE_INFINITY;
    if (distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { word: candidate, distance };
  }
  return best?.word ?? null;
}

/** The end of the message "it has no such thing": what was probably meant, and what exists. */
export function instead(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  const question = near === null ? '' : `Did you mean '${near}'? `;
  const more = known.length > shown ? `, and ${known.length - shown} more` : '';
  return `${question}It has ${known.slice(0, shown).join(', ') || 'none'}${more}.`;
}

/** Names in one sentence. */
const shown = 10;

function letters(word: string): string {
  return word.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}

/** The same letters in another order: `lgo`. */
function swapped(a: string, b: string): boolean {
  return a !== b && [...a].toSorted().join() === [...b].toSorted().join();
}

function overlaps(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const part = short.toLowerCase();
  return part.length >= 3 && (long.toLowerCase().split(/[_-]/).includes(part) || long.toLowerCase().startsWith(part));
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [line, letter] of [...a].entries()) {
    const next = [line + 1];
    for (const [column, other] of [...b].entries()) {
      next.push(
        Math.min((row[column] ?? 0) + (letter === other ? 0 : 1), (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
