/** Asks one question at a time about each name: whoever asks meanwhile gets the same answer. */
export function shared<T>(ask: (name: string) => Promise<T>): (name: string) => Promise<T> {
  const asked = new Map<string, Promise<T>>();
  return name => {
    const answer = asked.get(name) ?? ask(name).finally(() => asked.delete(name));
    asked.set(name, answer);
    return answer;
  };
}
