/**
 * Removes a terminal's control sequences (ECMA-48) from text that comes in pieces, cut anywhere. Single control characters
 * stay: a carriage return shows where a line is rewritten.
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
/** Characters of the longest sequence. */
const most = 256;

export class Plain {
  #held = '';

  feed(piece: string): string {
    const text = this.#held + piece;
    const at = begun.exec(text)?.index ?? text.length;
    this.#held = text.length - at > most ? '' : text.slice(at);
    return text.slice(0, text.length - this.#held.length).replace(sequence, '');
  }

  /** The beginning of a sequence that never ended. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}
