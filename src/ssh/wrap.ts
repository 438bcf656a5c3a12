import { quote } from './quote.ts';

/**
 * Wraps a command so that all of it can be signalled later: it runs as the first process of a group, and prints that
 * group's number first. Both of its outputs become one, in the order in which it writes them.
 *
 * OpenSSH makes the command a group of its own; dropbear does not, and there `setsid` does. Where there is neither, the
 * command alone is signalled. Needs a POSIX shell and Linux's /proc.
 */

/** Around the number; no text has it (ASCII's record separator). */
const mark = String.fromCharCode(30);
const announced = new RegExp(`${mark}(\\d{1,10})${mark}`);
/** Characters that a login shell may print before. */
const preface = 4_096;

export function wrap(command: string): string {
  const run = `printf '\\036%s\\036' "$$"\n${command}`;
  const lead = [
    'exec 2>&1',
    'read -r _ _ _ _ group _ 2>/dev/null </proc/$$/stat',
    'if [ "$group" != "$$" ] && command -v setsid >/dev/null; then exec setsid /bin/sh -c "$1"; fi',
    'eval "$1"',
  ].join('\n');
  return `exec /bin/sh -c ${quote(lead)} sh ${quote(run)}`;
}

/**
 * The command that signals such a group, as root if that needs no password: processes started by `sudo` belong to root.
 */
export function killCommand(group: number, signal: 'TERM' | 'KILL'): string {
  const kill = `kill -${signal} -${group} 2>/dev/null || kill -${signal} ${group}`;
  return `sudo -n /bin/sh -c ${quote(kill)} 2>/dev/null || { ${kill}; }`;
}

/** Finds the number in the output, and removes it. */
export class Announcement {
  group: number | null = null;
  #held: string | null = '';

  feed(piece: string): string {
    if (this.#held === null) return piece;
    this.#held += piece;
    const found = announced.exec(this.#held);
    if (!found && this.#held.length < preface) return '';
    if (found) this.group = Number(found[1]);
    return this.flush().replace(announced, '');
  }

  flush(): string {
    const held = this.#held ?? '';
    this.#held = null;
    return held;
  }
}
