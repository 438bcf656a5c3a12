/** The command in what `src/ssh/wrap.ts` has made of it; anything else as it is. Of a file's transfer, its script's words. */
export function unwrap(command: string): string {
  if (!command.startsWith('exec /bin/sh -c ')) return command;
  const inner = words(command).at(-1) ?? '';
  const [, meant] = /^printf '\\036%s\\036' "\$\$"\n([\s\S]*)$/.exec(inner) ?? [];
  return meant ?? command;
}

/** Of a line that quotes with '…' alone, and puts a `'` as `'\''`. */
function words(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|\\'|[^\s'\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|\\(')/g, (_, quoted, escaped) => quoted ?? escaped),
  );
}
