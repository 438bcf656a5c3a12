import type { Platform } from './entity.ts';
import type { Component, Discovery } from './payload.ts';

/**
 * Home Assistant keeps an entity that is merely left out of a payload: it has to be told of each one that goes. So the
 * caller keeps what it has published.
 */

/** What is to be remembered of a payload: platform by component key. */
export type Components = Readonly<Record<string, Platform>>;

export function components({ payload }: Discovery): Components {
  return Object.fromEntries(Object.entries(payload.components).map(([key, { platform }]) => [key, platform]));
}

/**
 * The messages that lead from what was published to `next`, in order: `next` alone, or before it one that removes what
 * is gone or has changed its platform. Home Assistant needs a few seconds between the two: it drops components of a
 * payload while it still works on an earlier one.
 */
export function transition(published: Components, next: Discovery): Discovery[] {
  const { components } = next.payload;
  const gone = Object.entries(published).filter(([key, platform]) => components[key]?.platform !== platform);
  if (gone.length === 0) return [next];
  const removed = Object.fromEntries(gone.map(([key, platform]): [string, Component] => [key, { platform }]));
  return [{ ...next, payload: { ...next.payload, components: { ...components, ...removed } } }, next];
}

/** The retained message that removes the whole device. */
export function removeDevice(topic: string): { topic: string; payload: '' } {
  return { topic, payload: '' };
}
