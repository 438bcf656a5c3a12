/** What `act` returns; null: it throws. */
export function orNull<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}
