import type { Verb } from '../../src/cli/verbs.ts';

/** Arguments and options of the command line as its parser has them: those of the table of verbs, and those that it adds to them. */

export interface Option {
  /** As the user types it: `-t`, `--timeout`. */
  names: readonly string[];
  description: string;
  /** The name of its value, or null if it takes none. */
  value: string | null;
}

const config = option('-c, --config <file>', 'the configuration file');
const help = option('-h, --help', 'print help');
/** Before the command. */
export const programOptions = [option('-V, --version', 'print the version'), help];

/** Of a command. */
export function optionsOf({ options = [], config: kind }: Verb): readonly Option[] {
  const own = options.map(([flags, description, fallback]) =>
    option(flags, typeof fallback === 'string' ? `${description} (default: ${fallback})` : description),
  );
  return [...(kind === undefined ? [] : [config]), ...own, help];
}

export function argumentsOf({ args = {} }: Verb) {
  return Object.entries(args).map(([arg, meaning]) => ({
    name: arg.slice(1, -1),
    needed: arg.startsWith('<'),
    meaning,
  }));
}

/** What every command takes, or nearly every one, and the program. */
export const generalOptions = [config, ...programOptions];

function option(flags: string, description: string): Option {
  const [, names = '', value = null] = /^([^<]*?)(?: <(.*)>)?$/.exec(flags) ?? [];
  return { names: names.split(', '), description, value };
}
