/** What the demo needs of the place it plays in; the lab is one, a simulation another. */
export interface Stage extends AsyncDisposable {
  /** What is real here and what is not, one line. */
  readonly about: string;
  readonly broker: string;
  readonly libvirt: string;
  /** How often DSM is checked, as the configuration has it. */
  readonly checks: Readonly<Record<string, unknown>>;
  /** Port of the bridge's page on this machine; null: nobody could open it. */
  readonly page: number | null;
  /** Command lines to try in another terminal. */
  readonly hints: readonly string[];
  /** How far a running guest is on its way up; null: it is up. */
  waiting(): string | null;
  /** Gives a guest that is up something to do, a few seconds long; `tell` says what. */
  work(tell: (what: string) => void): Promise<void>;
}

/** The demo's domain, which is its topic segment too. */
export const vm = 'DSM';
export const base = 'dsm2mqtt';
