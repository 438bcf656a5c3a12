/** What programs write for a terminal, as plain text. Pure; takes a stream in pieces. */

const esc = String.fromCharCode(27);
/** Colours and cursor moves (ECMA-48, control sequences). */
const sequence = new RegExp(String.raw`${esc}\[[0-9;?]{0,16}[@-~]`, 'g');
/** The beginning of one, at the end of a piece. */
const begun = new RegExp(String.raw`${esc}(?:\[[0-9;?]{0,16})?$`);

/** Takes out the sequences of a stream; one that is cut in two is held until its rest has come. */
export class PlainText {
  #held = '';

  push(piece: string): string {
    const text = this.#held + piece;
    const cut = begun.exec(text)?.index ?? text.length;
    this.#held = text.slice(cut);
    return text.slice(0, cut).replaceAll(sequence, '');
  }

  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}
