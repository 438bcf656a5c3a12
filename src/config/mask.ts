/** Shows a line of the file with everything but the given spans masked. */

/** Offsets in the text, `end` exclusive. */
export interface Span {
  start: number;
  end: number;
}

/** `caret` is where `offset` comes to stand in the masked text. */
export function maskLine(
  text: string,
  line: Span,
  shown: readonly Span[],
  offset: number,
): { text: string; caret: number } {
  return {
    text: mask(text, line, shown).trimEnd().slice(0, 160),
    caret: Math.min(mask(text, { start: line.start, end: Math.min(offset, line.end) }, shown).length, 160),
  };
}

function mask(text: string, line: Span, shown: readonly Span[]): string {
  let masked = '';
  let at = line.start;
  for (const { start, end } of shown.filter(span => span.start < line.end && span.end > line.start)) {
    if (start < at) continue;
    masked += hide(text.slice(at, start)) + text.slice(start, Math.min(end, line.end));
    at = Math.min(end, line.end);
  }
  return (masked + hide(text.slice(at, line.end))).replaceAll(/\p{Cc}/gu, ' ');
}

/** Punctuation of the structure stays; a comment goes; anything else might be a secret. */
function hide(gap: string): string {
  const [structure = ''] = /^(?:[\s,:{}[\]]|-\s)*/.exec(gap) ?? [];
  const rest = gap.slice(structure.length);
  if (rest === '' || rest.startsWith('#')) return structure;
  return `${structure}***${/\s$/.test(rest) ? ' ' : ''}`;
}
