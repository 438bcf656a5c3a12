import { refusals } from './refusal.ts';

/** Who reads a console. */
export interface Reader {
  data(bytes: Buffer): void;
  /** The guest has stopped, or somebody else took it. */
  ended(taken: boolean): void;
}

/** A guest's console, a pty: what it writes goes to the one who reads, and is lost while nobody does. */
export class FakeConsole {
  #reader: Reader | null = null;

  get taken(): boolean {
    return this.#reader !== null;
  }

  /** Returns how to leave it. Throws a `Refusal` while another has it, unless forced. */
  open(reader: Reader, force: boolean): () => void {
    if (this.#reader && !force) throw refusals.consoleTaken();
    this.#reader?.ended(true);
    this.#reader = reader;
    return () => {
      if (this.#reader === reader) this.#reader = null;
    };
  }

  write(text: string | Buffer): void {
    this.#reader?.data(Buffer.from(text));
  }

  close(): void {
    this.#reader?.ended(false);
    this.#reader = null;
  }
}
