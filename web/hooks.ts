import { useEffect, useState } from 'preact/hooks';
import { ask, wordsOf } from './api.ts';

/** JSON that the bridge answers. null: nothing yet. `error`: why nothing newer came. */
interface Answered<T> {
  value: T | null;
  error: string | null;
}

/** It is asked anew when the query or a value of `when` changes. */
export function useAnswer<T>(what: string, query: Readonly<Record<string, string>>, ...when: unknown[]): Answered<T> {
  const [answered, show] = useState<Answered<T>>({ value: null, error: null });
  useEffect(() => {
    const asking = new AbortController();
    ask(what, { query, signal: asking.signal })
      .then(response => response.json() as Promise<T>)
      .then(value => show({ value, error: null }))
      .catch(error => asking.signal.aborted || show(({ value }) => ({ value, error: wordsOf(error) })));
    return () => asking.abort();
  }, [...Object.values(query), ...when]);
  return answered;
}

/** Does it again and again, so many milliseconds after it has ended, while somebody looks. `failed` hears why it ended. */
export function useLoop(act: (signal: AbortSignal) => Promise<void>, pause: number, failed: (why: string) => void) {
  useEffect(() => {
    const looking = new AbortController();
    const { signal } = looking;
    const loop = async () => {
      while (!signal.aborted) {
        if (!document.hidden) await act(signal).catch(error => signal.aborted || failed(wordsOf(error)));
        await new Promise(resolve => setTimeout(resolve, pause));
      }
    };
    void loop();
    return () => looking.abort();
  }, []);
}
