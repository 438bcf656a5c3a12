import { setTimeout as delay } from 'node:timers/promises';
import type { Libvirt } from '../libvirt/client.ts';
import type { DomainRef } from '../libvirt/structs.ts';

/** Of Linux's input-event-codes.h. */
const key = { home: 102, down: 108, enter: 28 } as const;
/** Milliseconds that a key is down: fewer than make it repeat. */
const hold = 50;
/** Beats of HOME alone. A menu that took its first key after them may have taken a row from its middle on. */
const lead = 15;
/** From then on every so many beats are a row: the fewer there are, the fewer a late menu can cut in two. */
const rowBeats = 3;

export interface MenuKeysOptions {
  /** Has it end, as when what was chosen answers. */
  signal: AbortSignal;
  /** Milliseconds, about; default 30 s. */
  for?: number;
  /** Milliseconds from one HOME to the next; default 1 s, of the five that the menu waits. */
  every?: number;
  /** Milliseconds from one key of a row to the next; default 150. */
  apart?: number;
}

/**
 * Chooses an entry of GRUB's menu by its place, from 0 on, in a domain that has just been started: presses HOME, DOWN so
 * many times and ENTER, blindly, for nobody tells when the menu is there.
 *
 * So it is done again and again, which is harmless: HOME begins anew, and neither the firmware nor a kernel that boots
 * makes anything of these keys. Any key stops the count-down, and GRUB then waits for ever. What is not harmless is a
 * row of which the menu sees the end alone, because ENTER would start another entry (seen); hence HOME by itself, until
 * the menu is certainly there.
 *
 * Resolves when the time is up or the signal has come; that says nothing of what was started. Rejects as a call does:
 * with `LibvirtError` 55 (`errorCode.operationInvalid`) when the domain is off.
 */
export async function chooseEntry(
  client: Pick<Libvirt, 'sendKeys'>,
  domain: DomainRef,
  index: number,
  { signal, for: time = 30_000, every = 1_000, apart = 150 }: MenuKeysOptions,
): Promise<void> {
  const row = [key.home, ...Array<number>(index).fill(key.down), key.enter];
  try {
    for (let beat = 0; beat < time / every; beat++) {
      const isRow = beat >= lead && (beat - lead) % rowBeats === 0;
      for (const code of isRow ? row : [key.home]) {
        await client.sendKeys(domain, [code], { hold, signal, timeout: 10_000 });
        await delay(apart, undefined, { signal });
      }
      await delay(Math.max(0, every - apart), undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
