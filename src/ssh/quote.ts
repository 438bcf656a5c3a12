/** `text` as one word of a POSIX shell's command line, whatever it contains (POSIX.1-2024, XCU 2.2.2). */
export function quote(text: string): string {
  if (text.includes('\0')) throw new RangeError('a word of a command line cannot hold a NUL');
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
