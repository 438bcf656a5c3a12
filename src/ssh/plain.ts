/**
 * A terminal's control sequences (ECMA-48) taken out of text that comes in pieces, cut anywhere. Control characters that
 * stand alone are left: a carriage return says where a line is written anew.
 */

const esc = String.fromCharCode(27);
const bell = String.fromCharCode(7);
/**
 * Colours and cursor; a window's title; the short ones. With a blank there are five (xterm's ctlseqs, "ESC SP F"): an
 * escape that stands alone before a blank takes no character of the word after it.
 */
const controls = String.raw`\[[0-?]*[ -/]*[@-~]|\][^${bell}${esc}]*(?:${bell}|${esc}\\)|(?! [^FGLMN])[ -/]*[0-Z\\^-~]`;
const sequence = new RegExp(`${esc}(?:${controls})`, 'g');
const begun = new RegExp(String.raw`${esc}(?:\[[0-?]*[ -/]*|\][^${bell}${esc}]*${esc}?|[ -/]*)$`);
/** Characters that a sequence may have; a longer one is none. */
const most = 256;

export class Plain {
  /** A sequence that has begun. */
  #held = '';

  feed(piece: string): string {
    const text = this.#held + piece;
    const at = begun.exec(text)?.index ?? text.length;
    this.#held = text.length - at > most ? '' : text.slice(at);
    return text.slice(0, text.length - this.#held.length).replace(sequence, '');
  }

  /** What had begun and never became one. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}
