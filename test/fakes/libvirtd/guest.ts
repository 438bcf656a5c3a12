import type { GuestInterface } from '../../../src/libvirt/structs.ts';

/** How a guest is made to behave. */
export interface Guest {
  /** What the power button does: nothing, or a power-off after so many milliseconds. */
  powerButton: 'ignored' | number;
  agent: 'none' | 'answers' | 'silent';
  /** What each screen shows, PNG or PPM as QEMU would write it. */
  screens: Buffer[];
  /** What libvirt's networks gave it, and what its agent says. */
  addresses: { lease: GuestInterface[]; agent: GuestInterface[] };
}

/** The one thing that a guest is about to do. Paused, it does it when it goes on. */
export class Intent {
  readonly #paused: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #held: (() => void) | null = null;

  constructor(paused: () => boolean) {
    this.#paused = paused;
  }

  /** In so many milliseconds; nothing changes the mind of a guest that has an intent already. */
  form(milliseconds: number, act: () => void): void {
    this.#timer ??= setTimeout(() => {
      if (this.#paused()) this.#held = act;
      else act();
    }, milliseconds);
  }

  goOn(): void {
    this.#held?.();
  }

  forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#held = null;
  }
}
