import { useEffect, useState } from 'preact/hooks';
import { now } from './api.ts';
import type { LinkState } from './link.ts';
import { type Live, nothing } from './model/live.ts';

/** All that the page shows, in one place. */

export interface PageState {
  live: Live;
  link: LinkState;
  /** Why a token is wanted; null: none is. */
  locked: string | null;
}

let state: PageState = { live: nothing, link: { is: 'connecting', round: 0, said: null }, locked: null };
const listeners = new Set<() => void>();

export function update(change: (state: PageState) => Partial<PageState>): void {
  state = { ...state, ...change(state) };
  for (const listener of listeners) listener();
}

export function usePage(): PageState {
  const [shown, show] = useState(state);
  useEffect(() => {
    const listener = () => show(state);
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return shown;
}

/** The bridge's time, renewed every so many milliseconds; null: it stands still. */
export function useNow(every: number | null): number {
  const [shown, show] = useState(now);
  useEffect(() => {
    if (every === null) return;
    show(now());
    const timer = setInterval(() => show(now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return every === null ? now() : shown;
}

/** What `get` says, and says anew when the event comes. */
export function useWatched<T>(get: () => T, target: EventTarget, event: string): T {
  const [shown, show] = useState(get);
  useEffect(() => {
    const listener = () => show(get);
    target.addEventListener(event, listener);
    return () => target.removeEventListener(event, listener);
  }, [target, event]);
  return shown;
}

/** Asks when a value of `inputs` changes, and gives what came last; an outdated answer is dropped. */
export function useAnswer<T>(get: (signal: AbortSignal) => Promise<T>, inputs: readonly unknown[]): T | Error | null {
  const [answer, show] = useState<T | Error | null>(null);
  useEffect(() => {
    const asking = new AbortController();
    get(asking.signal).then(
      value => asking.signal.aborted || show(() => value),
      error => asking.signal.aborted || show(error as Error),
    );
    return () => asking.abort();
  }, inputs);
  return answer;
}
