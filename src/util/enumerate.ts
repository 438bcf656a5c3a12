/** `5000`, `5000 and 5001`, `5000, 5001 and 445`. */
export function enumerate(words: readonly (string | number)[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
