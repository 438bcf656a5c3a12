/**
 * Asks one question at a time about each name: whoever asks meanwhile gets the same answer, and also `life` milliseconds
 * after it has come.
 */
export function shared<T>(ask: (name: string) => Promise<T>, life = 0): (name: string) => Promise<T> {
  const asked = new Map<string, Promise<T>>();
  const forget = (name: string) => {
    if (life === 0) asked.delete(name);
    else setTimeout(() => asked.delete(name), life).unref();
  };
  return name => {
    const answer = asked.get(name) ?? ask(name).finally(() => forget(name));
    asked.set(name, answer);
    return answer;
  };
}
