/** The last of a text that comes in pieces, in bounded memory. */
export class Tail {
  readonly #limit: number;
  #text = '';

  /** `limit` in characters. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get text(): string {
    return this.#text.slice(-this.#limit);
  }

  add(piece: string): void {
    this.#text += piece;
    // Not at every piece: each cut copies what is left.
    if (this.#text.length > this.#limit * 2) this.#text = this.#text.slice(-this.#limit);
  }

  clear(): void {
    this.#text = '';
  }
}
