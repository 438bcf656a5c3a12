import { setTimeout as delay } from 'node:timers/promises';
import type { Libvirt } from '../libvirt/client.ts';
import type { DomainRef } from '../libvirt/structs.ts';

const key = { home: 102, down: 108, enter: 28 } as const;
/** Milliseconds that a key is down: fewer than make it repeat. */
const hold = 50;
/** Beats with HOME alone. A menu that appeared during them gets whole rows of keys afterwards. */
const lead = 15;
/** Afterwards, a row of keys every so many beats. Fewer rows are less likely to be cut by a menu that appears late. */
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
 * Chooses an entry of GRUB's menu by its place, from 0 on, in a domain that has just been started. It presses HOME,
 * DOWN so many times, and ENTER, blindly, because nothing tells when the menu appears.
 *
 * So it repeats the keys, which is harmless: HOME begins anew, and neither the firmware nor a booting kernel reacts to
 * these keys. Any key stops the count-down, and GRUB then waits for ever. One thing is harmful: if the menu sees only
 * the end of a row, ENTER starts another entry (seen). So HOME is pressed alone until the menu is certainly there.
 *
 * Resolves when the time is up or the signal aborts; that does not tell what was started. Rejects as a call does: with
 * `LibvirtError` 55 (`errorCode.operationInvalid`) when the domain is off.
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
