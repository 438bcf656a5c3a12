import type { Answer, Call } from './calls.ts';
import type { BoxFault } from './faults.ts';

/** The system in which a loader of one kind builds itself, as a folder of this machine: what a `Box` does not know. */
export interface System {
  /** Who may log in, as the loader is delivered. */
  readonly login: { readonly user: string; readonly password: string };
  /** Where every command starts. */
  readonly home: string;
  /** What commands have in their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Paths of scripts that come before this machine's programs of their names. */
  readonly scripts: readonly string[];
  /** Names of programs that `run` does. */
  readonly programs: readonly string[];
  /** Reads the image. Once. */
  begin(): void;
  /** A command as it can run on this machine. */
  translate(command: string): string;
  run(call: Call): Answer | Promise<Answer>;
  suffer(faults: readonly BoxFault[]): void;
  /** What only its memory has is gone. */
  forget(): void;
}

/** What a system can do with the box that it runs in. */
export interface Inside {
  readonly image: string;
  /** Of the box. */
  readonly folder: string;
  has(fault: BoxFault): boolean;
  goDown(how: 'poweroff' | 'reboot', atOnce: boolean): void;
  /** Breaks all connections; resolves when those are gone. */
  drop(): Promise<void>;
}

/** What all systems have: `poweroff`, `reboot` and `killall`. Other programs do nothing. */
export async function runAny({ name, args }: Call, inside: Inside): Promise<Answer> {
  if (name === 'poweroff' || name === 'reboot') return goDown(name, args.includes('-f'), inside);
  if (name === 'killall') await inside.drop();
  return done;
}

export const done: Answer = { status: 0 };

export function goDown(how: 'poweroff' | 'reboot', atOnce: boolean, inside: Inside): Answer {
  if (how === 'poweroff' && inside.has('hang-poweroff')) return done;
  inside.goDown(how, atOnce);
  return atOnce ? null : done;
}
